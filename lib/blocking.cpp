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
  if (current_worker == nullptr) return_frames_at_exit();  // the caller goes on to free one
  if (node->state.is_done()) return;
  // Whoever blocks makes no breaks: another thread would have to serve the worker meanwhile.
  if (Worker* const w = current_worker; w != nullptr && stack_is_above(w->whole_stack_limit)) {
    if (w->take_own(node)) {
      w->run_above(node, dropped);
      if (node->state.is_done()) return;
    }
  }
  const std::uint32_t thief = node->thief.load(relaxed);  // relaxed: a hint
  if (!node->state.park(&parker_of_this_thread())) return;
  std::optional<io::detail::Drop> drop;
  if (dropped) drop.emplace(*node);
  if (Worker* const w = current_worker) {
    const io::detail::BlockedNest blocked(*w, node, nullptr);
    w->note_thief(thief);  // for the thread that serves the worker from here on
    w->block_until(is_done, node);
  } else {
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

void PoolState::run_from_outside(TaskNode* node, OutsideScope in) {
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
  caller->enter(in.scope);
  caller->begin_nesting();
  caller->nest = {.root = node};
  node->handle().resume();
  Worker* const w = current_worker;
  w->hand_operations_over();
  if (!node->state.park(&parker_of_this_thread())) return leave_caller(w);
  w->enter(in.scope);
  if (!work_as_caller(w, is_done, node)) wait_outside(is_done, node);
}

// ---- the outside thread --------------------------------------------------------------------

Worker* PoolState::try_enter_caller() noexcept {
  if (!has_caller || current_worker != nullptr || !caller_seat.try_take()) return nullptr;
  // Relaxed, here and below: decides how many threads serve, no more. What keeps the pool until we
  // have gone is the visit.
  visits.enter();
  guests.fetch_add(1, relaxed);
  Worker* const caller = workers[0].get();
  current_worker = caller;
  caller->use_hub(nullptr);
  caller_parker.store(&parker_of_this_thread(), release);  // read after the event count's bit
  caller->start_on_this_thread();
  return caller;
}

void PoolState::leave_caller(Worker* w) noexcept {
  w->hand_operations_over();
  while (w->index != 0) {  // it came back as another worker, which a thread of the pool has to serve
    w->stop_on_this_thread();
    current_worker = nullptr;
    try {
      serve(w);
      return end_guest();
    } catch (...) {  // no more threads: on until one rests, or somebody claims the worker
      const auto some_rest = [](const void* resting) {
        return static_cast<const Atomic<int>*>(resting)->load(relaxed) > 0;  // relaxed: a hint
      };
      w = w->serve_on_own_stack(some_rest, &num_resting_);
      if (w == nullptr) return end_guest();
    }
  }
  w->hand_back();
  w->stop_on_this_thread();
  current_worker = nullptr;
  caller_seat.leave();
  // What is left in its queue others must take: maybe nobody pops it from now on.
  if (work_visible()) notify();
  end_guest();
}

void PoolState::end_guest() noexcept {
  guests.fetch_sub(1, relaxed);
  visits.leave();
}

bool PoolState::work_as_caller(Worker* caller, bool (*done)(const void*), const void* argument) {
  if (caller == nullptr) return false;
  if (caller->index == 0) caller = caller->run_as_caller_until(done, argument);
  if (caller != nullptr) {
    leave_caller(caller);
  } else {
    end_guest();
  }
  return done(argument);
}

void PoolState::wait_outside(bool (*done)(const void*), const void* argument) {
  if (done(argument) || work_as_caller(try_enter_caller(), done, argument)) return;
  Parker& parker = parker_of_this_thread();
  if (!has_caller) {
    while (!done(argument)) parker.park();
    return;
  }
  const CallerSeat::Candidacy candidacy(caller_seat, parker);
  while (!done(argument) && !work_as_caller(try_enter_caller(), done, argument)) parker.park();
}

bool Worker::caller_gives_way() noexcept {
  Claim* const claim = claim_to_grant();
  if (claim == nullptr) return false;
  stop_on_this_thread();
  current_worker = nullptr;
  claim->grant(this);
  return true;
}

Worker* Worker::run_as_caller_until(bool (*done)(const void*), const void* argument) {
  Parker& parker = parker_of_this_thread();
  while (!done(argument)) {
    look_at_io();
    if (caller_gives_way()) return nullptr;
    if (TaskNode* node = next_in_line()) {
      if (Worker* const w = run(node); w != this) return w;
      continue;
    }
    leave_scope();
    set_activity(Activity::kSearching);
    pool.idle.begin_search();
    TaskNode* node = nullptr;
    for (int round = 0; !done(argument) && !pool.claims.any() && (node = try_take()) == nullptr;
         ++round) {
      if (round < kSearchRounds) {
        relax();
        continue;
      }
      pool.idle.prepare_caller_sleep();
      heavy_fence();
      if (!pool.work_visible() && !done(argument)) {
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
    if (node == nullptr) continue;
    if (Worker* const w = run(node); w != this) return w;
  }
  return this;
}

// ---- a task that blocks --------------------------------------------------------------------

// May bury what it waits for below another task that blocks.
Worker* Worker::serve_on_own_stack(bool (*done)(const void*), const void* argument) {
  Worker* w = this;
  current_worker = w;
  w->use_hub(io::detail::current_hub);
  w->set_activity(Activity::kRunning);
  while (!done(argument)) {
    w->look_at_io();
    if (Claim* const claim = w->claim_to_grant()) {
      w->leave_scope();
      current_worker = nullptr;
      claim->grant(w);
      return nullptr;
    }
    TaskNode* node = w->next_in_line();
    if (node == nullptr) {
      if (w->hub != nullptr) w->hub->turn();
      node = w->try_take();
    }
    if (node != nullptr) {
      w = w->run(node);
    } else {
      w->leave_scope();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  w->leave_scope();
  return w;
}

namespace {
// Until the thread is unparked, or something has ended that its hub looks after.
void rest(io::detail::Hub* own_hub, Parker& parker) noexcept {
  if (own_hub == nullptr) return parker.park();
  own_hub->turn();
  own_hub->sleep();
  own_hub->deliver();  // there may be no other turn
}
}  // namespace

void Worker::block_until(bool (*done)(const void*), const void* argument) {
  if (done(argument)) return;
  Parker& parker = parker_of_this_thread();
  Scope* const outer = scope;
  const Nest own_nest = nest;
  const std::uintptr_t own_stack_limit = whole_stack_limit;
  io::detail::Hub* const own_hub = io::detail::current_hub;
  hand_operations_over();
  leave_scope();  // this task is in it; but it may run a foreign await_suspend, and have ended elsewhere
  set_activity(Activity::kAbsent);
  current_worker = nullptr;
  Worker* back = nullptr;
  try {
    pool.serve(this);
  } catch (...) {  // std::system_error, std::bad_alloc
    back = serve_on_own_stack(done, argument);
  }
  if (back == nullptr) {
    while (!done(argument)) rest(own_hub, parker);
    Claim claim;
    claim.thread = &parker;
    pool.claims.push(claim);
    pool.notify();
    while (!claim.granted.load(acquire)) rest(own_hub, parker);  // acquire: a worker is ours
    back = claim.worker;
  }
  current_worker = back;
  back->use_hub(own_hub);
  back->whole_stack_limit = own_stack_limit;
  back->begin_nesting();
  back->nest = own_nest;
  back->set_activity(Activity::kRunning);
  back->enter(outer);
}

}  // namespace weft::detail
