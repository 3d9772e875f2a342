// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What an awaiter holds: the awaited frame, and in its place the result once that frame has ended
/// nested on the awaiter's stack.

#include <exception>
#include <new>
#include <utility>

#include "weft/detail/result_slot.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

template <class T>
class Promise;

/// Owns a frame until it has run nested to its end. Such a frame leaves its result here and destroys
/// itself; one that parked on the way keeps its result in its own slot, and is destroyed from here.
template <class T>
class Awaited : public AwaitedBase {
 public:
  explicit Awaited(Promise<T>* frame) noexcept : frame_(frame) {}
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;
  ~Awaited() {
    if (ended_here()) {
      slot_.destroy(outcome);
    } else {
      frame_->handle().destroy();
    }
  }

  bool ended_here() const noexcept { return outcome != Outcome::kNothing; }

  /// Precondition: it has not ended here.
  Promise<T>* frame() const noexcept { return frame_; }

  /// After its end, once: moves the result out or rethrows.
  T take() {
    if (ended_here()) [[likely]] return slot_.take(outcome);
    return frame_->take();
  }

  // ---- for the frame that runs nested here ---------------------------------------------------

  template <class... U>
  void emplace(U&&... value) {
    // The second value, see PromiseBase::leave_result.
    if (outcome == Outcome::kValue) slot_.destroy(std::exchange(outcome, Outcome::kNothing));
    (::new (&slot_) ResultSlot<T>)->emplace(std::forward<U>(value)...);
    outcome = Outcome::kValue;
  }
  /// The result of `frame` does not count: the frame goes on.
  void discard(Promise<T>* frame) noexcept {
    slot_.destroy(outcome);
    outcome = Outcome::kNothing;
    frame_ = frame;
  }
  void fail(std::exception_ptr exception) noexcept {
    if (outcome == Outcome::kNothing) ::new (&slot_) ResultSlot<T>;
    slot_.destroy(outcome);  // the value of a frame whose local's destructor threw
    slot_.fail(std::move(exception));
    outcome = Outcome::kException;
  }

 private:
  union {
    Promise<T>* frame_;
    ResultSlot<T> slot_;
  };
};

}  // namespace weft::detail
