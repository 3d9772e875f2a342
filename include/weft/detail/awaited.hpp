// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What an awaiter holds: the awaited frame, or the result once that frame has ended nested on the
/// awaiter's stack.

#include <exception>
#include <new>
#include <utility>

#include "weft/detail/result_slot.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

template <class T>
class Promise;

/// Of a frame that keeps its result in its own slot: destroys it once that was taken.
template <class T>
struct ResultOwner {
  Promise<T>* child;
  ~ResultOwner() { child->handle().destroy(); }
};

/// Owns a frame until it has run nested to its end. Such a frame leaves its result here and destroys
/// itself; one that parked on the way keeps its result in its own slot, and is destroyed from here.
/// There is no destructor: nothing comes between the construction and take().
template <class T>
class Awaited : public AwaitedBase {
 public:
  explicit Awaited(Promise<T>* frame) noexcept : AwaitedBase(frame) {}

  /// Precondition: it has not ended here.
  Promise<T>* frame() const noexcept { return static_cast<Promise<T>*>(AwaitedBase::frame()); }

  /// After its end, once: moves the result out or rethrows. Nothing is left then.
  T take() {
    if (!has_value()) [[unlikely]] return take_slowly();
    const SlotCleaner cleaner{slot_, Outcome::kValue};
    return slot_.take(Outcome::kValue);
  }

  // ---- for the frame that runs nested here ---------------------------------------------------

  template <class... U>
  void emplace(Promise<T>* frame, U&&... value) {
    if constexpr (!ResultSlot<T>::kIsTrivial) {
      if (has_value()) discard(frame);  // this is the second one, see PromiseBase::leave_result
    }
    slot_.emplace(std::forward<U>(value)...);
    set_outcome(Outcome::kValue);
  }
  /// The result of `frame` does not count: the frame goes on.
  void discard(Promise<T>* frame) noexcept {
    slot_.destroy(outcome());
    set_frame(frame);
  }
  void fail(std::exception_ptr exception) noexcept {
    if (ended_here()) slot_.destroy(outcome());  // the value of a frame whose local's destructor threw
    slot_.fail(std::move(exception));
    set_outcome(Outcome::kException);
  }

 private:
  struct SlotCleaner {
    ResultSlot<T>& slot;
    Outcome outcome;
    ~SlotCleaner() { slot.destroy(outcome); }
  };

  WEFT_COLD T take_slowly() {
    if (ended_here()) {
      const SlotCleaner cleaner{slot_, outcome()};
      return slot_.take(outcome());
    }
    const ResultOwner<T> owner{frame()};
    return frame()->take();
  }

  ResultSlot<T> slot_;
};

}  // namespace weft::detail
