// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Task: a lazy coroutine that runs on the workers of a pool.

#include <coroutine>
#include <type_traits>
#include <utility>

#include "weft/detail/promise.hpp"
#include "weft/detail/worker.hpp"

namespace weft {

namespace detail {

/// Runs a task as a call: nested on this stack, as a function would.
template <class T>
class CallAwaiter : Awaited<T> {
 public:
  using Awaited<T>::Awaited;

  WEFT_INLINE bool await_ready() {
    Worker* const w = current_worker;
    if (!w->has_stack()) [[unlikely]] return false;
    return w->run_call(this->frame(), *this);
  }

  template <class P>
  WEFT_COLD bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    static_assert(std::is_base_of_v<TaskNode, P>,
                  "co_await of a weft::Task works inside a weft::Task only; from another "
                  "coroutine or a function, write pool.run(task)");
    frame.promise().before_suspend();
    if (this->take_started()) return current_worker->park(&frame.promise(), this->frame());
    current_worker->call_from_loop(&frame.promise(), this->frame());
    return true;
  }

  T await_resume() { return this->take(); }
};

}  // namespace detail

/// A coroutine that has not started. `co_await` of it runs it on the current worker as a call;
/// `spawn` makes it a task that any worker of the pool may run. Destroying one that never
/// started frees its frame. Not thread-safe; may be handed from thread to thread.
template <class T = void>
class [[nodiscard]] WEFT_IN_REGISTER Task {
 public:
  using promise_type = detail::Promise<T>;
  using value_type = T;

  Task() noexcept = default;
  Task(Task&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task(std::move(other)).swap(*this);
    return *this;
  }
  Task(const Task&) = delete;  // a Task runs once: write std::move(task)
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (promise_ != nullptr) [[unlikely]] detail::discard(promise_);
  }

  void swap(Task& other) noexcept { std::swap(promise_, other.promise_); }
  /// True until it is awaited, spawned or moved from.
  bool valid() const noexcept { return promise_ != nullptr; }

  /// Precondition: valid(). Returns what the coroutine returns, rethrows what it throws.
  auto operator co_await() && noexcept {
    return detail::CallAwaiter<T>(std::exchange(promise_, nullptr));
  }
  template <class Unused = void>
  void operator co_await() & {
    static_assert(!std::is_void_v<Unused>,
                  "a weft::Task runs once: write co_await std::move(task)");
  }

 private:
  friend class detail::PromiseBase<T>;
  friend struct detail::TaskAccess;
  explicit Task(promise_type* promise) noexcept : promise_(promise) {}

  promise_type* promise_ = nullptr;
};

/// \cond
namespace detail {

template <class T>
Task<T> PromiseBase<T>::get_return_object() noexcept {
  return Task<T>(static_cast<Promise<T>*>(this));
}

}  // namespace detail
/// \endcond

}  // namespace weft
