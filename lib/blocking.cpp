// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Threads that wait: the outside thread that works meanwhile, and the worker that blocks in a
// sync. `docs/design/blocking.md`.
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "io/drops.hpp"
#include "io/hub.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"

namespace weft::detail {

namespace {

bool is_done(const void* node) { return static_cast<const TaskNode*>(node)->state.is_done(); }

bool is_quiet(const void* waiter) {
  // Acquire: pairs with Scope::wake; what the scope's tasks did is visible.
  return static_cast<const ScopeWaiter*>(waiter)->quiet.load(acquire);
}

}  // namespace

void block_on(TaskNode* node, bool dropped) {
  if (node->state.is_done()) return;
  if (Worker* const w = current_worker; w != nullptr && w->has_stack()) {
    if (w->take_own(node)) {
      w->run_above(node);
      if (node->state.is_done()) return;
    }
  }
  const std::uint32_t thief = node->thief.load(relaxed);  // relaxed: a hint
  std::optional<io::detail::Drop> drop;
  if (!dropped) {
    if (!node->state.park(&parker_of_this_thread())) return;
  } else {
    PoolState& pool = node->scope->pool;
    // Counted before the state word says that we wait, so that the task's end, and with it the
    // pool's, comes after.
    const Visits::Visit visit(pool.visits);
    if (!node->state.park(&parker_of_this_thread())) return;
    drop.emplace(node);
    pool.tell_of_drops();
  }
  if (Worker* const w = current_worker) {
    w->note_thief(thief);  // for the thread that serves the worker from here on
    w->block_until(is_done, node);
  } else {
    return_frames_at_exit();  // the caller goes on to free one
    node->scope->pool.wait_outside(is_done, node);
  }
}

void PoolState::wait_until_quiet(Scope& scope) {
  ScopeWaiter waiter;
  waiter.thread = &parker_of_this_thread();
  scope.wait(waiter);
  if (Worker* const w = current_worker) {
    w->block_until(is_quiet, &waiter);
  } else {
    wait_outside(is_quiet, &waiter);
  }
}

void PoolState::wait_until_all_quiet() {
  // One after the other: a task stays in its scope, and so do its descendants, but for those in a
  // sync_scope of its own, before whose end it does not end. Seq_cst: acquires what acquire_scope
  // published, and sees each scope in which a spawner passed the gate before it was closed.
  for (Scope* s = all_scopes_.load(seq_cst); s != nullptr; s = s->next_made) wait_until_quiet(*s);
}

void PoolState::run_from_outside(TaskNode* node, Scope* in) {
  Worker* const caller = try_enter_caller();
  if (caller == nullptr) {
    spawn_from_outside(node, in);
    return block_on(node);
  }
  try {
    count_outside_spawn(node, in);
  } catch (...) {
    leave_caller(caller);
    throw;
  }
  caller->enter(in);
  node->handle().resume();
  caller->hand_operations_over();
  if (node->state.park(&parker_of_this_thread())) {
    caller->enter(in);
    return finish_wait_outside(caller, is_done, node);
  }
  leave_caller(caller);
}

// ---- the outside thread --------------------------------------------------------------------

Worker* PoolState::try_enter_caller() noexcept {
  // Acquire: pairs with leave_caller; worker 0 is now ours.
  if (!has_caller || current_worker != nullptr || caller_busy.exchange(true, acquire)) {
    return nullptr;
  }
  Worker* const caller = workers[0].get();
  current_worker = caller;
  caller->use_hub(nullptr);
  caller_parker.store(&parker_of_this_thread(), release);  // read after the event count's bit
  caller->start_on_this_thread();
  return caller;
}

void PoolState::leave_caller(Worker* caller) noexcept {
  caller->hand_operations_over();
  caller->stop_on_this_thread();
  current_worker = nullptr;
  if (caller->blocked_threads != 0) {  // they will want it back
    // Their ends may be all that the pool's end waits for, before serve() has returned.
    const Visits::Visit visit(visits);
    try {
      return serve(caller);
    } catch (...) {  // no more threads: this one stays until somebody claims the worker
      return caller->loop(nullptr);
    }
  }
  caller_busy.store(false, release);  // pairs with try_enter_caller
  // What is left in our queue others must take: from now on nobody pops it.
  if (work_visible()) notify();
}

void PoolState::finish_wait_outside(Worker* caller, bool (*done)(const void*),
                                    const void* argument) {
  if (caller->run_as_caller_until(done, argument)) leave_caller(caller);
  while (!done(argument)) parker_of_this_thread().park();
}

void PoolState::wait_outside(bool (*done)(const void*), const void* argument) {
  if (done(argument)) return;
  if (Worker* const caller = try_enter_caller()) {
    return finish_wait_outside(caller, done, argument);
  }
  while (!done(argument)) parker_of_this_thread().park();
}

bool Worker::run_as_caller_until(bool (*done)(const void*), const void* argument) {
  Parker& parker = parker_of_this_thread();
  for (std::uint32_t turn = 1; !done(argument); ++turn) {
    look_at_io();
    if (next == nullptr && claims.any()) {  // what is next goes before: the claimer would overwrite it
      stop_on_this_thread();
      current_worker = nullptr;
      claims.grant_one();
      return false;
    }
    if (TaskNode* node = next_in_line(turn)) {
      run(node);
      continue;
    }
    leave_scope();
    set_activity(Activity::kSearching);
    pool.idle.begin_search();
    TaskNode* node = nullptr;
    for (int round = 0; !done(argument) && !claims.any() && (node = try_take()) == nullptr;
         ++round) {
      if (round < kSearchRounds) {
        relax();
        continue;
      }
      pool.idle.prepare_caller_sleep();
      heavy_fence();
      if (!pool.work_visible() && !done(argument) && !claims.any()) {
        set_activity(Activity::kSleeping);
        count(sleeps);
        parker.park();
        count(wakes);
        set_activity(Activity::kSearching);
      }
      pool.idle.end_caller_sleep();
      round = 0;
    }
    found_work();  // or not: either way the search is over, and the next one may have to start
    if (node != nullptr) run(node);
  }
  return true;
}

// ---- a task that blocks --------------------------------------------------------------------

// The last resort, where no more threads are to be had: on top of the blocked task's stack, which
// may bury what it waits for below another task that blocks.
// \return false: it is not done, but somebody claimed the worker and has it now
bool Worker::serve_on_own_stack(bool (*done)(const void*), const void* argument) {
  current_worker = this;
  use_hub(io::detail::current_hub);
  set_activity(Activity::kRunning);
  bool keep_it = true;
  while (!done(argument)) {
    look_at_io();
    if (next == nullptr && claims.any()) {
      keep_it = false;
      break;
    }
    TaskNode* node = next_in_line(1);
    if (node == nullptr) node = try_take();
    if (node != nullptr) {
      run(node);
    } else {
      leave_scope();
      if (hub != nullptr) hub->turn();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  leave_scope();
  if (!keep_it) {
    current_worker = nullptr;
    claims.grant_one();
  }
  return keep_it;
}

namespace {
// Until the thread is unparked, or something has ended that its hub looks after.
void rest(io::detail::Hub* own_hub, Parker& parker) noexcept {
  if (own_hub == nullptr) return parker.park();
  own_hub->turn();
  own_hub->sleep();
}
}  // namespace

void Worker::block_until(bool (*done)(const void*), const void* argument) {
  if (done(argument)) return;
  Parker& parker = parker_of_this_thread();
  Scope* const outer = scope;
  const std::uintptr_t own_stack_limit = stack_limit;
  io::detail::Hub* const own_hub = io::detail::current_hub;
  hand_operations_over();
  ++blocked_threads;
  scope = nullptr;  // no leave(): this task, which has not ended, is in it
  set_activity(Activity::kAbsent);
  current_worker = nullptr;
  bool given_away = true;
  try {
    pool.serve(this);
  } catch (...) {  // std::system_error, std::bad_alloc
    given_away = !serve_on_own_stack(done, argument);
  }
  if (given_away) {
    while (!done(argument)) rest(own_hub, parker);
    Claim claim;
    claim.thread = &parker;
    claims.push(claim);
    pool.wake_servers();
    while (!claim.granted.load(acquire)) rest(own_hub, parker);  // acquire: the worker is ours again
  }
  --blocked_threads;
  current_worker = this;
  use_hub(own_hub);
  stack_limit = own_stack_limit;
  set_activity(Activity::kRunning);
  enter(outer);
}

}  // namespace weft::detail
