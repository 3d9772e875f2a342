// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What the workers of one pool share. Not part of the public face.

#include <cstdint>
#include <memory>
#include <vector>

#include "weft/detail/blocking_scope.hpp"
#include "weft/detail/caller_seat.hpp"
#include "weft/detail/closing_gate.hpp"
#include "weft/detail/doorbell.hpp"
#include "weft/detail/eventcount.hpp"
#include "weft/detail/injection.hpp"
#include "weft/detail/pool_threads.hpp"
#include "weft/detail/scope.hpp"
#include "weft/detail/visits.hpp"
#include "weft/detail/worker.hpp"
#include "weft/metrics.hpp"

namespace weft {
class Threadpool;
}

namespace weft::io::detail {
class Helpers;
class Hub;
}

namespace weft::detail {

class Watchdog;

struct PoolState {
  PoolState(Threadpool& owner, int num_threads, bool caller_participates, bool pin_threads,
            bool io_thread);
  ~PoolState();

  /// Counts and queues a task of an outside thread. \throws std::logic_error after shutdown
  void spawn_from_outside(TaskNode* node, OutsideScope in);
  /// Makes `node` a task of that scope. \throws std::logic_error after shutdown
  void count_outside_spawn(TaskNode* node, OutsideScope in);
  /// Spawns and waits, from a thread outside the pool, which runs it itself if it may.
  void run_from_outside(TaskNode* node, OutsideScope in);
  /// Queues what is counted already; from any thread.
  void inject(TaskNode* node) noexcept;
  /// The same, of a frame that I/O made ready.
  void bring_back(TaskNode* frame) noexcept;

  /// Blocks an outside thread until `done`; it becomes the caller's worker if that is free.
  /// Whoever makes `done` true unparks the thread.
  void wait_outside(bool (*done)(const void*), const void* argument);
  /// Becomes the caller's worker if it is free. \return it, or nullptr.
  Worker* try_enter_caller() noexcept;
  /// The same thread, as whatever worker it is by now, goes.
  void leave_caller(Worker* w) noexcept;
  void end_guest() noexcept;
  /// \return false: there is no caller, or it had to give the worker away, and has to wait.
  bool work_as_caller(Worker* caller, bool (*done)(const void*), const void* argument);

  /// As Threadpool::run_once.
  bool run_once(std::chrono::steady_clock::time_point deadline);

  /// Blocks until `scope` is quiet.
  void wait_until_quiet(Scope& scope);
  /// The same for every scope: a task that was spawned before the call has ended after it.
  void wait_until_all_quiet();
  void shutdown();
  /// The same, and cancels all I/O that is under way or that tasks are about to start.
  void cancel_and_shutdown();

  /// Where outside threads' operations go.
  io::detail::Hub& io_home() noexcept;

  Scope* acquire_scope();
  void release_scope(Scope* scope) noexcept;

  /// For the watchdog: nothing is unfinished; a number that changes when anything is spawned or ends.
  bool quiet() const noexcept;
  std::uint64_t scope_activity() const noexcept;

  void notify() noexcept;
  bool work_visible() const noexcept;
  void add_scope_counts(std::size_t worker, WorkerMetrics& to) const noexcept;
  /// Has a thread at rest, or a new one, serve `worker`. \throws std::system_error
  void serve(Worker* worker);
  void rest(PoolThread& thread) noexcept;

  Threadpool& self;
  const bool has_caller;  ///< worker 0 is whichever outside thread waits
  const bool has_io_thread;
  std::vector<std::unique_ptr<Worker>> workers;
  EventCount idle{!asymmetric_fences()};
  InjectionQueue injected;
  InjectionQueue brought_back;  ///< looked at between any two tasks
  Scope* root = nullptr;

  Atomic<bool> io_closing{false};  ///< what tasks are about to start is refused
  Atomic<io::detail::Hub*> first_hub{nullptr};  ///< the I/O thread's; else the first that became active
  const std::unique_ptr<io::detail::Helpers> helpers;

  Visits visits;
  CallerSeat caller_seat;
  Atomic<Parker*> caller_parker{nullptr};  ///< of the outside thread that has it
  Atomic<int> guests{0};                   ///< outside threads that are a worker, or blocked as one
  Claims claims;
  Doorbell bell;                           ///< of threads with a loop of their own

  ClosingGate closing;           ///< outside spawns are refused
  Atomic<bool> stopping{false};  ///< workers leave their loops
  Atomic<std::uint32_t> closed{0};  ///< futex: 0 open, 1 somebody shuts down, 2 done

 private:
  static constexpr int kMostScopesAtRest = 16;  // at a worker
  static constexpr int kMostLooks = 64;
  void put(InjectionQueue& where, TaskNode* node) noexcept;
  void start_threads(bool pin_threads);
  void start_thread(Worker* worker);  ///< nullptr: the I/O thread
  void thread_main(PoolThread& me);
  void stop_threads() noexcept;
  void free_scopes() noexcept;

  Atomic<Scope*> all_scopes_{nullptr};
  Atomic<Scope*> next_look_{nullptr};  ///< where to look for one that is not in use
  Atomic<PoolThread*> threads_{nullptr};  ///< all that were ever started
  Atomic<int> num_resting_{0};            ///< a hint: about so many of them rest
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace weft::detail
