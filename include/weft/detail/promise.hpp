// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The promise of a Task: the node, the result slot, and where frames get their memory.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/awaited.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/result_slot.hpp"
#include "weft/detail/task_node.hpp"

namespace weft {
template <class T>
class WEFT_IN_REGISTER Task;
template <class T>
class WEFT_IN_REGISTER Flowvar;
}

namespace weft::detail {

WEFT_API void finish(std::coroutine_handle<TaskNode> frame) noexcept;

/// The end of a frame. Nested in its awaiter, it runs on into its own destruction; otherwise it is
/// suspended for good, and somebody else destroys it.
struct FinalAwaiter {
  const bool nested;
  bool await_ready() const noexcept { return nested; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame) const noexcept {
    finish(std::coroutine_handle<TaskNode>::from_address(frame.address()));
  }
  void await_resume() const noexcept {}
};

struct ScopeJoin;

/// What parks frames by weft's own protocols, and so needs no messenger. I/O operations, too.
template <class A>
struct IsOurs : std::is_same<A, ScopeJoin> {};
template <class T>
struct IsOurs<Task<T>> : std::true_type {};
template <class T>
struct IsOurs<Flowvar<T>> : std::true_type {};

/// What promises of all result types share: all but `return_value` and `return_void`.
template <class T>
class PromiseBase : public TaskNode {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  ~PromiseBase() {
    if (nested_in == nullptr) slot_.destroy(outcome);  // nested, it is empty: see before_suspend
  }

  Task<T> get_return_object() noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {nested_in != nullptr}; }

  template <class A>
  decltype(auto) await_transform(A&& awaitable) {
    if constexpr (requires { typename std::remove_cvref_t<A>::ParksItself; }) {
      return awaiter_of(awaitable);
    } else if constexpr (IsOurs<std::remove_cvref_t<A>>::value) {
      return std::forward<A>(awaitable);
    } else {
      return ForeignAwait(std::forward<A>(awaitable));
    }
  }

  /// Before this frame parks, by what it awaits (but for ScopeJoin: nothing was returned yet). There
  /// is a result already if a local's destructor threw after co_return, and the coroutine caught
  /// that and went on: it does not count.
  void before_suspend() noexcept {
    if (nested_in == nullptr) {
      slot_.destroy(outcome);
      outcome = Outcome::kNothing;
    } else if (nested_in->ended_here()) {
      awaiter().discard(self());
    }
  }

  void unhandled_exception() noexcept {
    fail(std::coroutine_handle<Promise<T>>::from_promise(*self()));
  }

  /// Once, after the end of a frame that did not end nested: moves the result out or rethrows.
  T take() { return slot_.take(outcome); }

 protected:
  template <class... U>
  void leave_result(U&&... value) {
    if (nested_in != nullptr) [[likely]] {
      awaiter().emplace(self(), std::forward<U>(value)...);
    } else {
      // The second value: a local's destructor threw after the first, and that was caught.
      if (outcome == Outcome::kValue) slot_.destroy(std::exchange(outcome, Outcome::kNothing));
      slot_.emplace(std::forward<U>(value)...);
      outcome = Outcome::kValue;
    }
  }

 private:
  // By the frame's address, as all that is not inlined: a coroutine has that in a register anyway.
  WEFT_COLD static void fail(std::coroutine_handle<Promise<T>> frame) noexcept {
    PromiseBase& promise = frame.promise();
    if (promise.nested_in != nullptr) {
      promise.awaiter().fail(std::current_exception());
    } else {
      promise.slot_.destroy(promise.outcome);  // the value of a frame whose local's destructor threw
      promise.slot_.fail(std::current_exception());
      promise.outcome = Outcome::kException;
    }
  }

  Promise<T>* self() noexcept { return static_cast<Promise<T>*>(this); }
  Awaited<T>& awaiter() const noexcept { return static_cast<Awaited<T>&>(*nested_in); }

  ResultSlot<T> slot_;
};

template <class T>
class Promise : public PromiseBase<T> {
 public:
  template <class U = T>
    requires std::is_constructible_v<ResultType<T>, U&&>
  void return_value(U&& value) {
    this->leave_result(std::forward<U>(value));
  }
};

template <>
class Promise<void> : public PromiseBase<void> {
 public:
  void return_void() noexcept { leave_result(); }
};

}  // namespace weft::detail
