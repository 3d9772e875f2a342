// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Starting tasks and waiting for them: spawn, spawn_detached, sync.

#include <functional>
#include <type_traits>
#include <utility>

#include "weft/flowvar.hpp"
#include "weft/task.hpp"

namespace weft {

namespace detail {

template <class T>
struct IsTask : std::false_type {};
template <class T>
struct IsTask<Task<T>> : std::true_type {};

template <class T>
struct TaskResult {
  using type = T;
};
template <class T>
struct TaskResult<Task<T>> {
  using type = T;
};

/// Anything but a Task is taken for a callable.
template <class F>
concept NotTask = !IsTask<std::remove_cvref_t<F>>::value;

template <class F, class... Args>
constexpr bool kSpawnable = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;

/// What a task made of f(args...) returns.
template <class F, class... Args>
using SpawnResult =
    typename TaskResult<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>::type;

/// The one place that takes Tasks and Flowvars apart and puts them together.
struct TaskAccess {
  template <class T>
  static Promise<T>* release(Task<T>& task) noexcept {
    return std::exchange(task.promise_, nullptr);
  }
  template <class T>
  static Promise<T>* get(const Task<T>& task) noexcept {
    return task.promise_;
  }
  template <class T>
  static Flowvar<T> make(Promise<T>* child) noexcept {
    return Flowvar<T>(child);
  }
  template <class T>
  static Promise<T>* release(Flowvar<T>& flowvar) noexcept {
    return std::exchange(flowvar.child_, nullptr);
  }
};

// GCC 12 takes the frame of a coroutine template whose parameter is a lambda of an anonymous
// namespace for a type of another file, and warns in the user's code.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

/// The coroutine that a spawned callable becomes: its parameters are copied into the frame.
template <class R, class F, class... Args>
Task<R> invoke_as_task(F f, Args... args) {
  if constexpr (IsTask<std::invoke_result_t<F, Args...>>::value) {
    co_return co_await std::invoke(std::move(f), std::move(args)...);
  } else if constexpr (std::is_void_v<R>) {
    std::invoke(std::move(f), std::move(args)...);
    co_return;
  } else {
    co_return std::invoke(std::move(f), std::move(args)...);
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <class F, class... Args>
WEFT_IN_REGISTER_TAG auto make_task(F&& f, Args&&... args) {
  static_assert(kSpawnable<F, Args...>,
                "spawn(f, args...): f cannot be called with copies of these arguments; pass what "
                "f takes, std::ref(x) for an lvalue reference, or write spawn([&] { ... })");
  return invoke_as_task<SpawnResult<F, Args...>, std::decay_t<F>, std::decay_t<Args>...>(
      std::forward<F>(f), std::forward<Args>(args)...);
}

/// The same for a task whose result is dropped.
template <class F, class... Args>
Task<void> make_detached_task(F&& f, Args&&... args) {
  using R = SpawnResult<F, Args...>;
  if constexpr (std::is_void_v<R>) {
    return make_task(std::forward<F>(f), std::forward<Args>(args)...);
  } else {
    return [](Task<R> inner) -> Task<void> { (void)co_await std::move(inner); }(
        make_task(std::forward<F>(f), std::forward<Args>(args)...));
  }
}

template <class T>
Flowvar<T> spawn_on(PoolState* pool, Task<T>&& task) {
  spawn_slowly(TaskAccess::get(task), pool);
  return TaskAccess::make(TaskAccess::release(task));
}

inline void spawn_detached_on(PoolState* pool, Task<void>&& task) {
  auto* const node = TaskAccess::get(task);
  node->state.init_detached();
  spawn_slowly(node, pool);
  share_after_detached();
  TaskAccess::release(task);
}

}  // namespace detail

/// Queues a task for any worker of the current pool; outside of any pool, of
/// `Threadpool::global()`. Any thread may call it.
/// \throws std::logic_error if that pool is shut down, std::bad_alloc; the task has not run then
template <class T>
WEFT_INLINE Flowvar<T> spawn(Task<T> task) {
  detail::spawn_node(detail::TaskAccess::get(task));
  return detail::TaskAccess::make(detail::TaskAccess::release(task));
}

/// The same for `f(args...)`, which may return a Task. `f` and `args` are moved or copied into the
/// frame, and from there moved into the call. \throws also what copying them throws
template <detail::NotTask F, class... Args>
WEFT_IN_REGISTER_TAG auto spawn(F&& f, Args&&... args) {
  return spawn(detail::make_task(std::forward<F>(f), std::forward<Args>(args)...));
}

/// Fire and forget: nobody will ask for a result. An exception that leaves it calls
/// std::terminate. Scopes and `sync_all` wait for it.
inline void spawn_detached(Task<void> task) {
  auto* const node = detail::TaskAccess::get(task);
  node->state.init_detached();
  detail::spawn_node(node);
  detail::share_after_detached();
  detail::TaskAccess::release(task);
}

/// The same for a callable; what it returns is dropped.
template <detail::NotTask F, class... Args>
void spawn_detached(F&& f, Args&&... args) {
  spawn_detached(detail::make_detached_task(std::forward<F>(f), std::forward<Args>(args)...));
}

template <class T>
Flowvar<T> spawn(Task<T>& task) = delete;  // a Task runs once: write spawn(std::move(task))

/// Waits for a task from ordinary code, on any thread; the thread works meanwhile (see
/// `Threadpool::Options::caller_participates`), or sleeps. Inside a task prefer `co_await`: `sync`
/// blocks the worker. Precondition: flowvar.is_spawned().
/// \return the task's result \throws what the task threw
template <class T>
T sync(Flowvar<T>&& flowvar) {
  auto* const child = detail::TaskAccess::release(flowvar);
  const detail::ResultOwner<T> owner{child};
  detail::block_on(child);
  return child->take();
}

template <class T>
T sync(Flowvar<T>& flowvar) = delete;  // it consumes the Flowvar: write sync(std::move(flowvar))

}  // namespace weft
