// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Threadpool: the workers that run tasks.

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/detail/blocking_scope.hpp"
#include "weft/detail/topology.hpp"
#include "weft/metrics.hpp"
#include "weft/spawn.hpp"
#include "weft/sync_scope.hpp"

namespace weft {

/// A set of workers. Any thread may spawn on and wait for any pool, several may live at once, and
/// a task always runs on the pool that it was spawned on. All members are thread-safe but the
/// destructor, which no other call may overlap.
class Threadpool {
 public:
  struct Options {
    int num_threads = 0;              ///< workers; 0: available_parallelism()
    bool caller_participates = true;  ///< a thread that waits works, as one of num_threads
    bool pin_threads = false;         ///< each worker stays on one CPU of the affinity mask
    /// One more thread does nothing but I/O, and any worker may go on with what has ended. For tasks
    /// that compute for milliseconds without a co_await: else a completion waits for the task that its
    /// worker runs. It costs two changes of threads for each operation.
    bool io_thread = false;
  };

  /// \throws std::invalid_argument if num_threads is negative or more than 32,767
  /// \throws std::system_error if a thread cannot be started; nothing is left behind then
  WEFT_API explicit Threadpool(int num_threads = 0);
  WEFT_API explicit Threadpool(Options options);
  /// shutdown(). From one of its own tasks it cannot: that calls std::terminate.
  WEFT_API ~Threadpool();
  Threadpool(const Threadpool&) = delete;
  Threadpool& operator=(const Threadpool&) = delete;

  /// Workers, the participating outside thread included.
  WEFT_API int num_threads() const noexcept;

  /// As weft::spawn, on this pool.
  template <class T>
  Flowvar<T> spawn(Task<T> task) {
    return detail::spawn_on(state_.get(), std::move(task));
  }
  template <detail::NotTask F, class... Args>
  WEFT_IN_REGISTER_TAG auto spawn(F&& f, Args&&... args) {
    return spawn(detail::make_task(std::forward<F>(f), std::forward<Args>(args)...));
  }

  /// As weft::spawn_detached, on this pool.
  void spawn_detached(Task<void> task) {
    detail::spawn_detached_on(state_.get(), std::move(task));
  }
  template <detail::NotTask F, class... Args>
  void spawn_detached(F&& f, Args&&... args) {
    spawn_detached(detail::make_detached_task(std::forward<F>(f), std::forward<Args>(args)...));
  }

  /// Spawns and waits, from any thread. \return the task's result \throws what the task threw
  template <class T>
  T run(Task<T> task) {
    auto* const node = detail::TaskAccess::get(task);
    run_node(node);
    detail::TaskAccess::release(task);
    const detail::ResultOwner<T> owner{node};
    return node->take();
  }
  template <detail::NotTask F, class... Args>
  decltype(auto) run(F&& f, Args&&... args) {
    return run(detail::make_task(std::forward<F>(f), std::forward<Args>(args)...));
  }

  /// As weft::sync.
  template <class T>
  T sync(Flowvar<T>&& flowvar) {
    return weft::sync(std::move(flowvar));
  }

  /// Runs body() on this thread and waits for every task that it spawned, on whatever pool, and their
  /// descendants; also if body throws, which is rethrown after that.
  template <class Body>
  void sync_scope(Body body) {
    static_assert(!detail::IsTask<std::invoke_result_t<Body&>>::value,
                  "the body of Threadpool::sync_scope is ordinary code; for a coroutine write "
                  "pool.run(weft::sync_scope(body))");
    const detail::BlockingScope scope(*state_);
    body();
  }

  /// Waits until every task spawned so far, and its descendants, also on other pools, is done; but for
  /// those that went back to a pool they came from. With other threads spawning all the while, until
  /// there is a moment at which nothing is left.
  /// \throws std::logic_error from a task of this pool
  WEFT_API void sync_all();

  /// sync_all, then stops and joins the workers; idempotent. Spawning throws from then on.
  /// \throws std::logic_error from a task of this pool
  WEFT_API void shutdown();

  /// For a program with a loop of its own: works on this thread as a thread does that waits in run(), but
  /// only as long as something is ready, and not past the deadline. If nothing is, it waits for
  /// that until the deadline. A task that has begun runs until it suspends or ends, deadline or not.
  /// \return true if it ran something, or a task has ended elsewhere since the last call; and at the first
  /// call of run_once() for this pool, before which one may have
  /// \throws std::logic_error from a task
  template <class Clock, class Duration>
  bool run_once(std::chrono::time_point<Clock, Duration> deadline) {
    const auto at = Clock::now();
    return deadline > at ? run_once(deadline - at) : run_once();
  }
  /// The same, for at most that long.
  template <class Rep, class Period>
  bool run_once(std::chrono::duration<Rep, Period> limit) {
    constexpr auto kMost = std::chrono::hours(24 * 365 * 10);
    const bool bounded = std::chrono::duration<double>(limit) < kMost;
    return run_once_until(
        std::chrono::steady_clock::now() +
        (bounded ? std::chrono::duration_cast<std::chrono::nanoseconds>(limit) : kMost));
  }
  /// The same, without waiting.
  bool run_once() { return run_once(std::chrono::nanoseconds(0)); }

  /// A descriptor to poll for reading, beside others: readable when a task has ended, or one was
  /// given to the pool or became ready, since the last run_once(), which is to be called then. The pool's
  /// other threads work whether it is or not. It is the pool's, and for one loop: the run_once() of one thread
  /// answers what it told to all. \throws std::system_error
  WEFT_API int wait_fd();

  /// A snapshot of every worker's counters.
  WEFT_API Metrics metrics() const;

  /// Made at first use with WEFT_NUM_THREADS workers (unset or 0: available_parallelism()); shut
  /// down when the program exits. \throws std::invalid_argument if the variable is no such number
  WEFT_API static Threadpool& global();

  /// The pool whose worker runs this code, or nullptr.
  WEFT_API static Threadpool* current() noexcept;

 private:
  friend detail::OutsideScope detail::outside_scope(detail::PoolState* pool);

  WEFT_API void run_node(detail::TaskNode* node);
  WEFT_API bool run_once_until(std::chrono::steady_clock::time_point deadline);

  std::unique_ptr<detail::PoolState> state_;
};

}  // namespace weft
