// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Flowvar: the handle to the result of a spawned task.

#include <coroutine>
#include <type_traits>
#include <utility>

#include "weft/detail/promise.hpp"
#include "weft/detail/worker.hpp"

namespace weft {

namespace detail {

/// Waits for a spawned task: runs it here if nobody took it, parks the frame otherwise.
template <class T>
class FlowvarAwaiter : Awaited<T> {
 public:
  using Awaited<T>::Awaited;

  WEFT_INLINE bool await_ready() { return current_worker->run_child(this->frame(), *this); }

  template <class P>
  WEFT_COLD bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    static_assert(std::is_base_of_v<TaskNode, P>,
                  "co_await of a weft::Flowvar works inside a weft::Task only; from another "
                  "coroutine or a function, write weft::sync(std::move(flowvar))");
    frame.promise().before_suspend();
    return current_worker->park(&frame.promise(), this->frame());
  }

  T await_resume() { return this->take(); }
};

}  // namespace detail

/// Stands for a spawned task. Exactly one of: `co_await std::move(fv)`, `sync(std::move(fv))`,
/// `std::move(fv).detach()`, or the destructor, which cancels the I/O that the task waits for, itself or by
/// way of others, also where it blocks in `sync`; waits for its end, and drops its result.
/// Not thread-safe; may be handed from thread to thread.
template <class T = void>
class [[nodiscard]] WEFT_IN_REGISTER Flowvar {
 public:
  using value_type = T;

  Flowvar() noexcept = default;
  Flowvar(Flowvar&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  Flowvar& operator=(Flowvar&& other) noexcept {
    Flowvar(std::move(other)).swap(*this);
    return *this;
  }
  Flowvar(const Flowvar&) = delete;  // a Flowvar has one owner: write std::move(flowvar)
  Flowvar& operator=(const Flowvar&) = delete;
  /// Waits as `std::jthread` joins: the thread works meanwhile, or sleeps.
  ~Flowvar() {
    if (child_ != nullptr) [[unlikely]] detail::drop(child_);
  }

  void swap(Flowvar& other) noexcept { std::swap(child_, other.child_); }

  /// True if it stands for a task: spawned, and neither awaited, synced, detached nor moved from.
  bool is_spawned() const noexcept { return child_ != nullptr; }

  /// True if the result is there: neither `co_await` nor `sync` will wait.
  /// Precondition: is_spawned(). Happens after everything that the task did.
  bool is_ready() const noexcept { return child_->state.is_done(); }

  /// Precondition: is_spawned(). Returns the task's result, or rethrows what it threw.
  auto operator co_await() && noexcept {
    return detail::FlowvarAwaiter<T>(std::exchange(child_, nullptr));
  }
  template <class Unused = void>
  void operator co_await() & {
    static_assert(!std::is_void_v<Unused>,
                  "awaiting consumes the Flowvar: write co_await std::move(fv)");
  }

  /// Lets the task run on its own. Precondition: is_spawned(). The enclosing scope and `sync_all`
  /// still wait for it; an exception that leaves it calls std::terminate.
  void detach() && noexcept { detail::detach(std::exchange(child_, nullptr)); }

 private:
  friend struct detail::TaskAccess;
  explicit Flowvar(detail::Promise<T>* child) noexcept : child_(child) {}

  detail::Promise<T>* child_ = nullptr;
};

}  // namespace weft
