// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The promise of a Task: the node, the result slot, and where frames get their memory.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/foreign_await.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/result_slot.hpp"
#include "weft/detail/task_node.hpp"

namespace weft {
template <class T>
class Task;
template <class T>
class Flowvar;
}

namespace weft::detail {

WEFT_API void finish(TaskNode* node) noexcept;

/// Suspends a frame for good. If its awaiter is below it on this stack, that is all there is to do.
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame) const noexcept {
    TaskNode& node = frame.promise();
    if (node.inlined) [[likely]] return;
    finish(&node);
  }
  void await_resume() const noexcept {}
};

struct ScopeJoin;

/// What parks frames by weft's own protocols, and so needs no messenger.
template <class A>
struct IsOurs : std::is_same<A, ScopeJoin> {};
template <class T>
struct IsOurs<Task<T>> : std::true_type {};
template <class T>
struct IsOurs<Flowvar<T>> : std::true_type {};

/// What promises of all result types share.
struct PromiseBase : TaskNode {
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }

  template <class A>
  decltype(auto) await_transform(A&& awaitable) {
    if constexpr (IsOurs<std::remove_cvref_t<A>>::value) {
      return std::forward<A>(awaitable);
    } else {
      return ForeignAwait(std::forward<A>(awaitable));
    }
  }
};

template <class T>
class Promise : public PromiseBase {
 public:
  ~Promise() { slot_.destroy(this->failed); }

  Task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::is_constructible_v<ResultType<T>, U&&>
  void return_value(U&& value) {
    slot_.emplace(std::forward<U>(value));
  }
  void unhandled_exception() noexcept {
    slot_.destroy(false);  // the value of a frame whose local's destructor threw
    slot_.fail(std::current_exception());
    this->failed = true;
  }
  /// Once, after the end: moves the result out or rethrows.
  T take() { return slot_.take(this->failed); }

 private:
  ResultSlot<T> slot_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  ~Promise() { slot_.destroy(failed); }

  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void unhandled_exception() noexcept {
    slot_.fail(std::current_exception());
    failed = true;
  }
  void take() { slot_.take(failed); }

 private:
  ResultSlot<void> slot_;
};

}  // namespace weft::detail
