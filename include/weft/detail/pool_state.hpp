// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What the workers of one pool share. Not part of the public face.

#include <cstdint>
#include <memory>
#include <vector>

#include "weft/detail/closing_gate.hpp"
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
  PoolState(Threadpool& owner, int num_threads, bool caller_participates, bool pin_threads);
  ~PoolState();

  /// Counts and queues a task of an outside thread. \throws std::logic_error after shutdown
  void spawn_from_outside(TaskNode* node, Scope* in);
  /// Makes `node` a task of scope `in`. \throws std::logic_error after shutdown
  void count_outside_spawn(TaskNode* node, Scope* in);
  /// Spawns and waits, from a thread outside the pool, which runs it itself if it may.
  void run_from_outside(TaskNode* node, Scope* in);
  /// Queues what is counted already; from any thread.
  void inject(TaskNode* node) noexcept;

  /// Blocks an outside thread until `done`; it becomes the caller's worker if that is free.
  /// Whoever makes `done` true unparks `parker`.
  void wait_outside(bool (*done)(const void*), const void* argument);
  /// Becomes the caller's worker if it is free. \return it, or nullptr.
  Worker* try_enter_caller() noexcept;
  void leave_caller(Worker* caller) noexcept;
  void finish_wait_outside(Worker* caller, bool (*done)(const void*), const void* argument);

  /// Blocks until `scope` is quiet.
  void wait_until_quiet(Scope& scope);
  /// The same for every scope: a task that was spawned before the call has ended after it.
  void wait_until_all_quiet();
  void shutdown();

  /// Cancels all I/O, also what tasks are about to start.
  void close_io() noexcept;
  /// Has every hub look for operations of tasks whose Flowvars were dropped.
  void tell_of_drops() noexcept;
  /// Where outside threads' operations go.
  io::detail::Hub& io_home() noexcept;

  Scope* acquire_scope();
  void release_scope(Scope* scope) noexcept;
  void put_to_rest(Scope* scope) noexcept;

  void notify() noexcept;
  bool work_visible() const noexcept;
  void add_scope_counts(std::size_t worker, WorkerMetrics& to) const noexcept;
  /// Has a thread at rest, or a new one, serve `worker`. \throws std::system_error
  void serve(Worker* worker);
  /// After a claim: its server may sleep.
  void wake_servers() noexcept;

  Threadpool& self;
  const bool has_caller;  ///< worker 0 is whichever outside thread waits
  std::vector<std::unique_ptr<Worker>> workers;
  EventCount idle;
  InjectionQueue injected;
  Scope* root = nullptr;

  Atomic<bool> io_closing{false};
  Atomic<io::detail::Hub*> first_hub{nullptr};  ///< the first that became active
  const std::unique_ptr<io::detail::Helpers> helpers;

  Visits visits;
  Atomic<Parker*> caller_parker{nullptr};
  Atomic<bool> caller_busy{false};

  ClosingGate closing;           ///< outside spawns are refused
  Atomic<bool> stopping{false};  ///< workers leave their loops
  Atomic<std::uint32_t> closed{0};  ///< futex: 0 open, 1 somebody shuts down, 2 done

 private:
  static constexpr int kMostScopesAtRest = 16;
  void start_threads(bool pin_threads);
  PoolThread* start_thread(Worker* worker);
  void thread_main(PoolThread& me);
  void stop_threads() noexcept;
  void free_scopes() noexcept;

  Atomic<Scope*> all_scopes_{nullptr};
  Atomic<Scope*> free_scopes_{nullptr};
  Atomic<PoolThread*> threads_{nullptr};  ///< all that were ever started
  std::unique_ptr<Watchdog> watchdog_;
};

/// The scope into which this thread, outside of `pool`, spawns. `pool` nullptr: the pool of the
/// sync_scope that this thread is in, or else the global one.
Scope* outside_scope(PoolState* pool);

}  // namespace weft::detail
