// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The loop of a worker: what it runs next, when it looks at its I/O, and how it falls asleep.
// `docs/design/scheduler.md`.
#include <utility>

#include "io/hub.hpp"
#include "io/stream.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"

namespace weft::detail {

void Worker::leave_scope() noexcept {
  if (scope == nullptr) return;
  Scope* const left = scope;
  scope = nullptr;
  counters = nullptr;
  left->leave();
}

Worker* Worker::run(TaskNode* node) noexcept {
  // It may take long, and who is idle then should not have to ask for what lies below it. Alone, nobody is.
  if (!alone) queue.share();
  begin_nesting();
  Worker* w = this;
  do {
    if (node->scope != w->scope) {
      w->leave_scope();
      w->enter(node->scope);
    }
    w->nest = {.root = node};
    node->handle().resume();
    w = current_worker;
    node = std::exchange(w->next, nullptr);
    if (node != nullptr && !w->has_stack()) [[unlikely]] w->push(std::exchange(node, nullptr));  // a break
  } while (node != nullptr);
  return w;
}

void Worker::begin_nesting() noexcept {
  breaks.in_loop();
  // Acquire: pairs with Hub::activate and start_thread, as we look into it.
  const io::detail::Hub* const first = pool.first_hub.load(acquire);
  const bool uses_io = first != nullptr && first->active();
  stack_limit = uses_io ? ~std::uintptr_t{0} : whole_stack_limit;
}

bool Worker::may_nest() noexcept {
  if (!stack_is_above(whole_stack_limit)) return false;
  if (!breaks.due()) return true;
  const bool wanted = (io != nullptr && io->in_use()) || frames_wait() || has_mail();
  return !breaks.look(Breaks::Clock::now(), wanted);
}

bool Worker::frames_wait() const noexcept {
  return !ready_alone.empty() || ready.size() != 0 || !pool.brought_back.empty();
}

bool Worker::tasks_wait() const noexcept {
  return queue.size() != 0 || arrived.size() != 0 || !pool.injected.empty();
}

TaskNode* Worker::next_ready() noexcept {
  const bool frames_ran = alternation.frames();
  const bool frames = frames_wait();
  if (!frames && !frames_ran) [[likely]] return nullptr;
  if (alternation.frame_next(frames, tasks_wait())) {
    if (TaskNode* const frame = take_ready()) return frame;
  }
  // What frames have started, an answer maybe, does not wait for a task.
  if (frames_ran && tasks_wait() && io != nullptr && io->unsubmitted()) io->turn();
  return nullptr;
}

TaskNode* Worker::next_in_line() noexcept {
  if (TaskNode* node = std::exchange(next, nullptr)) return node;
  if (pace.due()) [[unlikely]] {
    pace.look(Pace::Clock::now());
    look_beside = true;
    if (has_mail()) hub->turn();
  }
  if (TaskNode* frame = next_ready()) return frame;
  // A queue that never gets empty should keep nobody waiting.
  if (pace.take_arrival()) [[unlikely]] {
    if (TaskNode* node = take_oldest(pool.injected, arrived)) {
      if (arrived.size() != 0) pace.more_arrived();
      return node;
    }
  }
  if (pace.take_oldest()) [[unlikely]] {
    if (TaskNode* node = take_oldest(queue)) return node;
  }
  TaskNode* const newest = queue.pop();
  return newest != nullptr ? newest : steal_again();
}

void Worker::do_io() noexcept {
  hand_operations_over();
  if (io == nullptr) return;
  const bool frames = next != nullptr || frames_wait();
  if (frames || tasks_wait()) return io->between_tasks(*this, frames && alternation.frames());
  // Whoever finds nothing in our queues turns, and need not ask the clock now whether one is due.
  if (out_of_service()) return io->deliver();  // with a frame in `next` we would not give way
  io->before_search(*this);
  if (next != nullptr) alternation.frame_next(true, false);  // as if it had been taken from `ready`
}

bool Worker::has_mail() const noexcept { return hub != nullptr && hub->has_mail(); }

void Worker::use_hub(io::detail::Hub* of_this_thread) noexcept {
  hub = of_this_thread;
  io = hub != nullptr && hub->active() ? hub : nullptr;
}

void Worker::hand_operations_over() noexcept {
  if (outside_operations == nullptr) return;
  // Once the last one is with its hub it may end, and with it the task, and the pool.
  const Visits::Visit visit(pool.visits);
  io::detail::Operation* newest_first = std::exchange(outside_operations, nullptr);
  io::detail::Operation* oldest_first = nullptr;
  while (newest_first != nullptr) {
    io::detail::Operation* const op = newest_first;
    newest_first = op->next;
    op->next = oldest_first;
    oldest_first = op;
  }
  while (oldest_first != nullptr) {
    io::detail::Operation* const op = oldest_first;
    oldest_first = op->next;
    if (op->kind == io::detail::Kind::kWait) {  // of a stream: its hub may be gone
      op->stream->send(static_cast<io::detail::NextBase&>(*op));
    } else {
      op->hub->post_new(*op);
    }
  }
}

bool Worker::out_of_service() const noexcept {
  return pool.claims.any() || not_needed() || pool.stopping.load(acquire);  // pairs with stop_threads
}

// Not with something in `next`, which the claimer would overwrite, and only after a task or a search
// for one, or tasks that block again and again would keep the queue's waiting.
Claim* Worker::claim_to_grant() noexcept {
  if (next != nullptr || std::exchange(gave_way, false) || !pool.claims.any()) return nullptr;
  Claim* const claim = pool.claims.take();
  // Others may have looked while we had them all.
  if (claim != nullptr && pool.claims.any()) pool.notify();
  gave_way = claim != nullptr;
  return claim;
}

// The caller's worker has a thread of the pool only while an outside thread is blocked as a worker.
bool Worker::not_needed() const noexcept {
  return index == 0 && pool.has_caller && pool.guests.load(relaxed) == 0;  // relaxed: soon is enough
}

TaskNode* Worker::find_work() {
  leave_scope();
  set_activity(Activity::kSearching);
  pool.idle.begin_search();
  // Alone, nobody fills our queue while we look.
  const int rounds = alone && io != nullptr ? 1 : kSearchRounds;
  for (;;) {
    if (io != nullptr || has_mail()) hub->turn_at_rest(rounds == 1);
    bool soon = false;
    // What ended as it was submitted is ready: a first look before the clock is asked.
    for (int i = 0; i < rounds || (soon && (i == 1 || !io->looked_enough())); ++i) {
      if (TaskNode* node = try_take()) {
        found_work();
        // What was started before, and would have gone with the sleep, does not wait for a task.
        if (rounds == 1 && io->unsubmitted() && !alternation.frames()) io->turn();
        return node;
      }
      if (pool.claims.any()) break;
      if (i == 0 && io != nullptr && io->expects_soon()) {
        soon = true;
        continue;
      }
      if (rounds == 1 && !soon) break;
      relax();
      if (io != nullptr) io->between_searches();
    }
    if (out_of_service()) {
      found_work();  // not really, but the search is over, and the next one may have to start
      return nullptr;
    }
    if (io != nullptr) {
      sleep_with_hub();
      continue;
    }
    const std::uint32_t round = pool.idle.prepare_sleep();
    heavy_fence();
    if (pool.work_visible() || out_of_service() || has_mail()) {
      pool.idle.cancel_sleep();
    } else {
      set_activity(Activity::kSleeping);
      count(sleeps);
      pool.idle.sleep(round);
      count(wakes);
      set_activity(Activity::kSearching);
    }
  }
}

void Worker::sleep_with_hub() noexcept {
  pool.idle.begin_listed_sleep(hub->sleeper());
  if (!alone) heavy_fence();  // alone, only outside threads give us work: seq_cst
  if (!pool.work_visible() && !out_of_service()) {
    set_activity(Activity::kSleeping);
    count(sleeps);
    hub->sleep();
    count(wakes);
    set_activity(Activity::kSearching);
  }
  pool.idle.end_listed_sleep(hub->sleeper());
}

void Worker::start_on_this_thread() noexcept {
  return_frames_at_exit();
  set_stack_limit();
  alternation = {};
  set_activity(Activity::kRunning);
}

void Worker::stop_on_this_thread() noexcept {
  leave_scope();
  set_activity(Activity::kAbsent);
}

WorkerMetrics Worker::snapshot() const noexcept {
  // Relaxed: statistics.
  WorkerMetrics m;
  m.tasks_executed = executed.load(relaxed);
  m.steals = steals.load(relaxed);
  m.steals_half = steals_half.load(relaxed);
  m.leapfrogs = leapfrogs.load(relaxed);
  m.awaits_parked = awaits_parked.load(relaxed);
  m.sleeps = sleeps.load(relaxed);
  m.wakes = wakes.load(relaxed);
  return m;
}

void Worker::loop(PoolThread& self) {
  Worker* w = self.worker;
  PoolState& pool = w->pool;
  self.become(w);
  current_worker = w;
  w->use_hub(self.hub.get());
  w->start_on_this_thread();
  for (;;) {
    w->look_at_io();
    Claim* const claim = w->claim_to_grant();
    if (claim != nullptr || (w->next == nullptr && w->not_needed())) {
      if (claim == nullptr) w->hand_back();
      w->stop_on_this_thread();
      current_worker = nullptr;
      pool.rest(self);
      if (claim != nullptr) return claim->grant(w);
      return pool.caller_seat.leave();
    }
    TaskNode* node = w->next_in_line();
    if (node == nullptr) node = w->find_work();
    if (node != nullptr) {
      w = w->run(node);
      if (w != self.worker) [[unlikely]] self.become(w);
    } else if (pool.stopping.load(acquire)) {  // pairs with stop_threads
      break;
    }
  }
  w->stop_on_this_thread();
  current_worker = nullptr;
  pool.rest(self);
}

}  // namespace weft::detail
