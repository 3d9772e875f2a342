// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// One worker: its queues, its counters, and the scheduler loop. `docs/design/scheduler.md`.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "weft/detail/alternation.hpp"
#include "weft/detail/breaks.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/eventcount.hpp"
#include "weft/detail/pace.hpp"
#include "weft/detail/pool_threads.hpp"
#include "weft/detail/ready_frames.hpp"
#include "weft/detail/scope.hpp"
#include "weft/detail/task_node.hpp"
#include "weft/detail/taskqueue.hpp"
#include "weft/metrics.hpp"

namespace weft::io::detail {
class Hub;
class Operation;
}

namespace weft::detail {

class InjectionQueue;
struct PoolState;
struct ParkedFrames;

/// What a worker is doing, for the watchdog.
enum class Activity : std::uint32_t { kAbsent, kRunning, kSearching, kSleeping };

struct Worker;

/// The worker that this thread is, or nullptr. Initial-exec: one instruction to read. Reading it
/// afresh is the caller's duty, after every suspension point (a frame may resume elsewhere) and
/// wherever user code ran (a thread that blocked there may have come back as another worker).
extern WEFT_API constinit thread_local Worker* current_worker
    __attribute__((tls_model("initial-exec")));

/// The state that one thread of a pool owns. All members but the atomics are the owner's alone.
struct alignas(kCacheLine) Worker {
  Worker(PoolState& owner, std::uint32_t own_index, bool only_one);
  ~Worker();

  // What every spawn and await touches.
  Scope* scope = nullptr;            ///< of the code that runs now
  Scope::Counters* counters = nullptr;  ///< ours in that scope
  std::uintptr_t stack_limit = 0;    ///< below this address may_nest() decides: everywhere, where I/O is used
  TaskNode* next = nullptr;          ///< runs as soon as the stack has unwound to the loop
  Taskqueue<TaskNode> queue;  ///< last in, first out

  PoolState& pool;
  EventCount& idle;                  ///< the pool's
  const std::uint32_t index;
  int cpu = -1;                      ///< to which its threads are pinned, if at all
  std::uint32_t leapfrog_victim = kNoWorker;  ///< thief of what was awaited last
  std::uint32_t random = 0;
  Worker* last_victim = nullptr;     ///< whose queue we stole from last
  const void* likely_slot = nullptr; ///< in which there is what we steal there next
  std::uint64_t last_steal_at = 0;   ///< tasks executed at the last steal, for steal-one or half
  bool steal_many = false;
  bool look_beside = false;          ///< the next search begins with `ready` and `arrived` of others: see Pace
  bool gave_way = false;             ///< to a claim, since the last look for a task
  const bool alone;                  ///< in our pool
  const bool full_fences;            ///< no membarrier here: the light side is a full fence
  ParkedFrames* parked = nullptr;    ///< set if a watchdog wants to know

  // Between tasks:
  io::detail::Hub* io = nullptr;   ///< of the thread that serves us, once it has used I/O
  io::detail::Operation* outside_operations = nullptr;  ///< started here by an outside thread
  io::detail::Hub* hub = nullptr;  ///< of the thread that serves us, unless that is an outside one
  // First in, first out, for all who take from them:
  Taskqueue<TaskNode> arrived;     ///< what outside threads injected
  Taskqueue<TaskNode> ready;       ///< frames that I/O made ready
  ReadyFrames ready_alone;         ///< the same, in a pool of one worker
  Alternation alternation;         ///< of the latter and the queue
  Pace pace;                       ///< of looks at the injection list

  std::uintptr_t whole_stack_limit = 0;  ///< below this one nothing more is nested
  Breaks breaks;                         ///< of nested work, for I/O
  Nest nest;                             ///< that runs

  Scope* scopes_at_rest = nullptr;  ///< for our next sync_scope, by next_free
  int num_scopes_at_rest = 0;

  Atomic<std::uint32_t> activity{0};
  Atomic<std::uint64_t> executed{0}, steals{0}, steals_half{0}, leapfrogs{0}, awaits_parked{0},
      sleeps{0}, wakes{0};

  /// True if one more frame may be nested on this stack.
  WEFT_INLINE bool has_stack() noexcept { return stack_is_above(stack_limit) || may_nest(); }
  /// The rest of it, where the comparison has failed: there is stack, and it is not time for a break.
  WEFT_API bool may_nest() noexcept;
  /// Nothing of ours is nested yet: the time until the next break begins.
  void begin_nesting() noexcept;

  /// Queues what is counted already, in one of our queues.
  void keep(TaskNode* node, Taskqueue<TaskNode>& where) noexcept;
  /// The same, and sees to it that somebody looks.
  void push(TaskNode* node) noexcept;

  /// To be called when work has become visible in our queue.
  WEFT_INLINE void notify_if_idle() noexcept {
    // The light side of heavy_fence(): the compiler keeps push's store before the look at who is
    // idle, and a worker that announced its sleep forces the processor to do the same.
    light_fence();
    if (idle.somebody_idle()) [[unlikely]] share_if_asked();
  }
  /// With more workers than CPUs somebody is always idle, and nearly every call is in vain.
  WEFT_NOINLINE void share_if_asked() noexcept {
    if (!queue.something_public() || idle.should_notify()) [[unlikely]] share_and_notify();
  }

  void enter(Scope* new_scope) noexcept {
    scope = new_scope;
    counters = &new_scope->counters(index);
  }

  /// Resumes `node` nested on this stack, in its awaiter, who has just taken it. Then it has ended here,
  /// and is gone, or has parked and may be anywhere. All that throws here is a parameter's destructor.
  WEFT_INLINE static void run_nested(TaskNode* node, AwaitedBase& awaiter) noexcept {
    node->nested_in = &awaiter;
    node->handle().resume();
  }

  /// The same for a task that is called. \return true if it has ended
  WEFT_INLINE bool run_call(TaskNode* callee, AwaitedBase& awaiter) {
    Scope* const outer = scope;
    run_nested(callee, awaiter);
    if (awaiter.has_value()) [[likely]] return true;
    if (awaiter.ended_here()) return true;
    current_worker->enter(outer);
    awaiter.set_started();
    return false;
  }

  /// The same for a spawned one, if it is to be had from our queue.
  /// \return true if it has ended, here or elsewhere
  WEFT_INLINE bool run_child(TaskNode* child, AwaitedBase& awaiter) {
    Scope* const outer = scope;
    if (!has_stack() || child->scope != outer || !queue.pop_if(child)) [[unlikely]] {
      return run_child_slowly(child, awaiter);
    }
    run_nested(child, awaiter);
    Worker* const w = current_worker;
    if (awaiter.has_value()) [[likely]] {
      Scope::add_one(w->counters->inlined);
      return true;
    }
    return w->ran_child(outer, awaiter);
  }
  /// The rest of it, for a child that has thrown or parked.
  WEFT_API bool ran_child(Scope* outer, AwaitedBase& awaiter) noexcept;

  /// The same with little stack left, in another scope, or for a child that is not the newest.
  WEFT_API bool run_child_slowly(TaskNode* child, AwaitedBase& awaiter);

  /// Takes `node` out of our queue, if it is near the new end of it.
  bool take_own(TaskNode* node) noexcept;
  /// Runs a task that take_own got, on top of code that is about to block on it.
  void run_above(TaskNode* node, bool dropped);

  /// Suspends `frame` until `awaited` has ended. \return false: it has, do not suspend.
  WEFT_API bool park(TaskNode* frame, TaskNode* awaited) noexcept;

  /// Suspends `frame`, then runs `callee` from the loop: for want of stack.
  WEFT_API void call_from_loop(TaskNode* frame, TaskNode* callee) noexcept;

  /// Marks `frame`, which runs on this worker, as about to be visible to other threads.
  WEFT_API void before_park(TaskNode* frame) noexcept;

  /// After a park: whoever waits for an operation that is in flight may be known only now.
  void look_for_drops() noexcept;

  /// Leapfrogs first to this worker, if it is one of ours.
  void note_thief(std::uint32_t thief) noexcept;

  void count_executed() noexcept { count(executed); }

  bool frames_wait() const noexcept;  ///< that I/O made ready
  bool tasks_wait() const noexcept;   ///< in our queues, or from outside
  bool something_beside() const noexcept { return ready.size() != 0 || arrived.size() != 0; }  ///< the queue
  /// A frame that I/O made ready. To be followed by share_ready().
  void keep_ready(TaskNode* frame) noexcept {
    alone ? ready_alone.append(frame) : keep(frame, ready);
  }
  void share_ready() noexcept {
    if (alone) return;
    ready.share();
    notify_if_idle();
  }

  /// What a thread of the pool does: serves its worker, or what it comes back as from a task that
  /// blocked, until the pool stops or the thread has given up its worker and is at rest.
  static void loop(PoolThread& self);
  /// Serves the caller's worker until `done(argument)`: the outside thread that waits.
  /// \return the worker it is in the end, or nullptr if somebody claimed that.
  Worker* run_as_caller_until(bool (*done)(const void*), const void* argument);
  /// Serves the caller's worker until nothing is to be had or the deadline has passed.
  /// \return as run_as_caller_until
  Worker* run_ready(std::chrono::steady_clock::time_point deadline, bool& ran);
  /// Blocks the calling thread, which serves this worker, while another thread serves it. It comes
  /// back as any worker of the pool. Whoever makes `done` true unparks the calling thread.
  void block_until(bool (*done)(const void*), const void* argument);
  /// The last resort where no more threads are to be had: on top of a blocked task's stack.
  /// \return as run_as_caller_until
  Worker* serve_on_own_stack(bool (*done)(const void*), const void* argument);
  void start_on_this_thread() noexcept;
  void stop_on_this_thread() noexcept;
  WorkerMetrics snapshot() const noexcept;

  /// Resumes `node` at the bottom of the stack, and whatever became ready through it.
  /// \return the worker that this thread is then
  Worker* run(TaskNode* node) noexcept;
  /// Makes a suspended frame or a task runnable, on whatever pool it belongs to.
  void make_ready(TaskNode* node) noexcept;

 private:
  friend struct PoolState;
  static constexpr int kSearchRounds = 64;
  static void relax() noexcept;  // a few hundred nanoseconds
  TaskNode* find_work();
  void sleep_with_hub() noexcept;
  bool out_of_service() const noexcept;
  bool not_needed() const noexcept;
  Claim* claim_to_grant() noexcept;
  /// For the outside thread that acts as this worker. \return true: a claim has the worker now
  bool caller_gives_way() noexcept;
  bool has_mail() const noexcept;
  /// Between two tasks: one predictable branch for a worker that has no I/O.
  void look_at_io() noexcept {
    if (io != nullptr || outside_operations != nullptr) [[unlikely]] do_io();
  }
  void do_io() noexcept;
  void use_hub(io::detail::Hub* of_this_thread) noexcept;
  void hand_operations_over() noexcept;
  TaskNode* try_take() noexcept;
  TaskNode* next_in_line() noexcept;
  /// The next frame that I/O made ready, if it is its turn.
  TaskNode* next_ready() noexcept;
  TaskNode* take_ready() noexcept;
  /// Of what lies in both; the rest stays in `older`.
  TaskNode* take_oldest(InjectionQueue& from, Taskqueue<TaskNode>& older) noexcept;
  static TaskNode* take_oldest(Taskqueue<TaskNode>& from) noexcept;
  /// What others could not take in time if nobody served us.
  void hand_back() noexcept;
  /// Of what is public where we found something last, for our own scope: before we leave that and search.
  TaskNode* steal_again() noexcept;
  TaskNode* steal_from(Worker& victim, bool leapfrog, bool open) noexcept;
  /// From its `ready` and `arrived`.
  TaskNode* steal_beside(Worker& victim, bool open) noexcept;
  TaskNode* steal_from(Taskqueue<TaskNode>& theirs, Taskqueue<TaskNode>& ours, bool open,
                       const void*& next_slot) noexcept;
  WEFT_API void share_and_notify() noexcept;
  void found_work() noexcept;
  void leave_scope() noexcept;
  void set_stack_limit() noexcept;
  void set_activity(Activity what) noexcept {
    activity.store(static_cast<std::uint32_t>(what), relaxed);  // relaxed: for the watchdog only
  }
  /// One writer, so no read-modify-write; relaxed: statistics.
  static void count(Atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(relaxed) + 1, relaxed);
  }
};

/// The end of a task that did not run nested in its awaiter: publishes the result, and resumes,
/// wakes or destroys as the state word says. The frame is suspended at its final point.
WEFT_API void finish(std::coroutine_handle<TaskNode> frame) noexcept;

/// Blocks the calling thread, whatever it is, until `node` has ended; it works meanwhile.
/// \param dropped nobody wants the result: cancel the I/O that `node` waits for
WEFT_API void block_on(TaskNode* node, bool dropped = false);

/// Destroys a frame that has not started, or has ended; on any thread.
WEFT_API void discard(TaskNode* node) noexcept;

/// The Flowvar of `node` is gone: waits for it and destroys the frame.
WEFT_API void drop(TaskNode* node) noexcept;
WEFT_API void detach(TaskNode* node) noexcept;

/// A frame that was parked is ready again, and may run, and be gone, at any time.
void unlist_parked(TaskNode* frame) noexcept;

/// Counts and queues a new task. `pool` nullptr: the current one, or else the global one.
/// \throws std::logic_error if the pool is shut down, std::bad_alloc; the node is then as before
WEFT_API void spawn_slowly(TaskNode* node, PoolState* pool);

WEFT_INLINE void spawn_node(TaskNode* node) {
  Worker* const w = current_worker;
  if (w == nullptr) [[unlikely]] return spawn_slowly(node, nullptr);
  w->queue.make_room();  // throws if it cannot: nothing has happened yet
  node->spawned = true;
  node->scope = w->scope;
  Scope::add_one(w->counters->spawned);  // before anyone can end it
  w->queue.push(node);
  w->notify_if_idle();
}

/// After a task has been spawned that nobody awaits: whoever does that means it for others, who should not have to be
/// idle first. The older half is shared, so a chain of single tasks stays ours.
WEFT_INLINE void share_after_detached() noexcept {
  Worker* const w = current_worker;
  if (w != nullptr && !w->alone) w->queue.share(2);
}

}  // namespace weft::detail
