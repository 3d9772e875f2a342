// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "io/drops.hpp"
#include "io/hub.hpp"
#include "io/stream.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/watchdog.hpp"

namespace weft::detail {

constinit thread_local Worker* current_worker = nullptr;

namespace {

// How much of a thread's stack frames may nest into; the rest is for the user's code.
constexpr std::uintptr_t kNestingBudget = std::uintptr_t{1} << 20;
// Fewer tasks than this since the last steal: what we stole was short, so take more next time.
constexpr std::uint64_t kFewTasks = 4;

struct Stack {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};

// This thread's own stack. Asked once per thread: for a main thread it reads /proc/self/maps.
const Stack& own_stack() noexcept {
  thread_local const Stack stack = [] {
    pthread_attr_t attributes;
    void* low = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
      pthread_attr_getstack(&attributes, &low, &size);
      pthread_attr_destroy(&attributes);
    }
    const auto bottom = reinterpret_cast<std::uintptr_t>(low);
    return Stack{bottom, bottom + size};
  }();
  return stack;
}

}  // namespace

Worker::Worker(PoolState& owner, std::uint32_t own_index)
    : pool(owner),
      idle(owner.idle),
      index(own_index),
      random(own_index * 2654435761u + 1),
      full_fences(!asymmetric_fences()) {}

Worker::~Worker() = default;

// ---- nesting and parking -------------------------------------------------------------------

void Worker::set_stack_limit() noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const Stack& stack = own_stack();
  // On a stack that is not the thread's own (a fiber's), what is left is unknown: nest little.
  const bool on_it = stack.low < here && here < stack.high;
  const std::uintptr_t left = on_it ? here - stack.low : 64 * 1024;
  stack_limit = here - std::min(kNestingBudget, left / 2);
}

void Worker::keep(TaskNode* node, Taskqueue<TaskNode>& where) noexcept {
  try {
    where.make_room();
  } catch (...) {  // std::bad_alloc; these lists need no memory
    return &where == &ready ? pool.bring_back(node) : pool.inject(node);
  }
  where.push(node);
}

void Worker::push(TaskNode* node) noexcept {
  keep(node, queue);
  notify_if_idle();
}

void Worker::share_and_notify() noexcept {
  queue.share();  // of the others half is public anyway
  if (full_fences) [[unlikely]] full_fence();
  if (idle.should_notify()) pool.notify();
}

bool Worker::ran_child(Scope* outer, AwaitedBase& awaiter) noexcept {
  if (awaiter.ended_here()) {
    Scope::add_one(counters->inlined);
    return true;
  }
  enter(outer);
  return false;
}

bool Worker::run_child_slowly(TaskNode* child, AwaitedBase& awaiter) {
  if (child->state.is_done()) return true;
  if (!has_stack()) return false;  // park; the loop will come to it
  if (!take_own(child)) return false;
  Scope* const outer = scope;
  Scope* const inner = child->scope;
  enter(inner);
  run_nested(child, awaiter);
  const bool ended = awaiter.ended_here();
  Worker* const w = current_worker;
  if (ended) {
    Scope::add_one(inner->counters(w->index).inlined);
    if (inner != outer) inner->leave();
  }
  w->enter(outer);
  return ended;
}

bool Worker::take_own(TaskNode* node) noexcept {
  if (queue.pop_if(node)) return true;
  const bool taken = queue.pop_buried(node);
  notify_if_idle();  // what lies above was out of sight for a moment
  return taken;
}

void Worker::run_above(TaskNode* node) {
  Scope* const outer = scope;
  Scope* const inner = node->scope;
  enter(inner);
  node->handle().resume();
  if (inner != outer) inner->leave();
  current_worker->enter(outer);
}

void Worker::before_park(TaskNode* frame) noexcept {
  frame->nested_in = nullptr;
  // A spawned frame keeps the scope that counts it. It runs in that one, unless it is a spawned
  // sync_scope, which does nothing between its body's end and leaving its own scope.
  if (!frame->spawned) frame->scope = scope;
}

bool Worker::park(TaskNode* frame, TaskNode* awaited) noexcept {
  before_park(frame);
  const std::uint32_t thief = awaited->thief.load(relaxed);  // relaxed: a hint
  if (parked != nullptr) [[unlikely]] parked->add(frame, awaited);
  if (!awaited->state.park(frame)) {
    if (parked != nullptr) [[unlikely]] parked->remove(frame);
    return false;
  }
  note_thief(thief);  // callers that park after us have none
  count(awaits_parked);
  // Who waits for an operation that is in flight may be known only now. The light side of the fence
  // in Drop: either it sees our park, or we see the drop.
  if (full_fences) [[unlikely]] full_fence();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (io::detail::any_drops()) [[unlikely]] pool.tell_of_drops();
  return true;
}

void Worker::note_thief(std::uint32_t thief) noexcept {
  // The thief of another pool's task is a number without meaning here, and that pool may be gone:
  // as a hint it does no harm where it is in range.
  if (thief - 1 < pool.workers.size()) leapfrog_victim = thief - 1;
}

void Worker::call_from_loop(TaskNode* frame, TaskNode* callee) noexcept {
  before_park(frame);
  callee->scope = scope;
  callee->state.park(frame);  // nobody else knows the callee: it cannot fail
  if (parked != nullptr) [[unlikely]] parked->add(frame, callee);
  next = callee;
}

void before_foreign_park(TaskNode* frame) noexcept {
  Worker* const w = current_worker;
  w->before_park(frame);
  if (w->parked != nullptr) [[unlikely]] w->parked->add(frame, nullptr);
}

ForeignCall::ForeignCall(TaskNode* frame) noexcept : pool_(frame->scope->pool) {
  pool_.visits.enter();
}

ForeignCall::~ForeignCall() { pool_.visits.leave(); }

void after_foreign_park_failed(TaskNode* frame) noexcept {
  ParkedFrames* const parked = current_worker->parked;
  if (parked != nullptr) [[unlikely]] parked->remove(frame);
}

void unlist_parked(TaskNode* frame) noexcept {
  ParkedFrames* const parked = frame->scope->pool.workers[0]->parked;
  if (parked != nullptr) [[unlikely]] parked->remove(frame);
}

void resume_on_own_pool(TaskNode* frame) noexcept {
  unlist_parked(frame);
  if (Worker* const w = current_worker) {
    w->make_ready(frame);
  } else {
    return_frames_at_exit();  // the messenger frees one
    frame->scope->pool.inject(frame);
  }
}

// ---- ends of tasks -------------------------------------------------------------------------

void Worker::make_ready(TaskNode* node) noexcept {
  if (&node->scope->pool == &pool) {
    push(node);
  } else {
    node->scope->pool.inject(node);
  }
}

void finish(std::coroutine_handle<TaskNode> frame) noexcept {
  TaskNode* const node = &frame.promise();
  Scope* const scope = node->scope;
  const bool spawned = node->spawned;
  const bool failed = node->outcome == Outcome::kException;
  const StateWord::Waiter waiter = node->state.finish();
  // From here on the frame belongs to the waiter, unless there is none to come.
  if (waiter.detached()) {
    if (failed) std::terminate();
    node->handle().destroy();
  } else if (waiter.is_thread()) {
    waiter.thread()->unpark();
  } else if (!waiter.none()) {
    TaskNode* const parent = waiter.frame();
    unlist_parked(parent);
    if (Worker* const w = current_worker; &parent->scope->pool == &w->pool) {
      w->next = parent;
    } else {
      parent->scope->pool.inject(parent);
    }
  }
  if (spawned) {
    Worker* const w = current_worker;  // only now: destructors of the frame's parameters may block
    w->count_executed();
    w->pool.bell.ring();
    Scope::add_one(scope->counters(w->index).ended);  // last: who waits for the scope may go on
  }
}

void discard(TaskNode* node) noexcept {
  return_frames_at_exit();  // here and below: maybe a thread that never makes one
  node->handle().destroy();
}

void detach(TaskNode* node) noexcept {
  if (node->state.detach()) return;
  if (node->outcome == Outcome::kException) std::terminate();
  discard(node);
}

void drop(TaskNode* node) noexcept {
  block_on(node, true);
  discard(node);
}

// ---- the loop ------------------------------------------------------------------------------

void Worker::leave_scope() noexcept {
  if (scope == nullptr) return;
  Scope* const left = scope;
  scope = nullptr;
  counters = nullptr;
  left->leave();
}

Worker* Worker::run(TaskNode* node) noexcept {
  // It may take long, and who is idle then should not have to ask for what lies below it. Alone, nobody is.
  if (pool.workers.size() != 1) queue.share();
  Worker* w = this;
  do {
    if (node->scope != w->scope) {
      w->leave_scope();
      w->enter(node->scope);
    }
    node->handle().resume();
    w = current_worker;
    node = std::exchange(w->next, nullptr);
  } while (node != nullptr);
  return w;
}

TaskNode* Worker::steal_from(Taskqueue<TaskNode>& theirs, Taskqueue<TaskNode>& ours,
                             bool open) noexcept {
  using enum Taskqueue<TaskNode>::Steal;
  TaskNode* node = nullptr;
  while (theirs.size() != 0) {
    const auto outcome = open ? theirs.steal(node, index) : theirs.steal_public(node);
    if (outcome == kEmpty) return nullptr;
    if (outcome == kLost) continue;
    node->thief.store(index + 1, relaxed);  // relaxed: a hint for whoever awaits it
    count(steals);
    const std::uint64_t done = executed.load(relaxed);
    steal_many = done - last_steal_at < kFewTasks;
    last_steal_at = done;
    if (steal_many) {
      std::int64_t more = std::min<std::int64_t>(theirs.size() / 2, 64);
      bool any = false;
      for (TaskNode* extra = nullptr; more > 0; --more) {
        if (theirs.steal_public(extra) != kGot) break;
        extra->thief.store(index + 1, relaxed);  // relaxed: as above
        keep(extra, ours);
        any = true;
      }
      if (any) {
        count(steals_half);
        notify_if_idle();  // they were out of sight for a moment, and we may not count as a searcher
      }
    }
    return node;
  }
  return nullptr;
}

TaskNode* Worker::steal_from(Worker& victim, bool leapfrog, bool open) noexcept {
  TaskNode* node = steal_from(victim.queue, queue, open);
  if (node != nullptr) last_victim = &victim;
  if (leapfrog) {  // for a child's children, which are nowhere else
    if (node != nullptr) count(leapfrogs);
    return node;
  }
  if (node == nullptr) node = steal_from(victim.ready, ready, open);
  if (node == nullptr) node = steal_from(victim.arrived, arrived, open);
  return node;
}

TaskNode* Worker::take_oldest(Taskqueue<TaskNode>& from) noexcept {
  while (from.size() != 0) {
    from.share();  // at the old end the owner is one of those who may take what is public
    TaskNode* node = nullptr;
    if (from.steal_public(node) == Taskqueue<TaskNode>::Steal::kGot) return node;
  }
  return nullptr;
}

TaskNode* Worker::take_oldest(InjectionQueue& from, Taskqueue<TaskNode>& older) noexcept {
  TaskNode* oldest = take_oldest(older);
  TaskNode* rest = from.take_all();
  if (rest == nullptr) return oldest;
  if (oldest == nullptr) oldest = std::exchange(rest, rest->link);
  if (rest == nullptr) return oldest;
  do {
    keep(std::exchange(rest, rest->link), older);
  } while (rest != nullptr);
  older.share();
  notify_if_idle();
  return oldest;
}

void Worker::hand_back() noexcept {
  while (TaskNode* const frame = take_oldest(ready)) pool.bring_back(frame);
  while (TaskNode* const node = take_oldest(arrived)) pool.inject(node);
}

TaskNode* Worker::try_take() noexcept {
  // leave_scope() may have made a frame ready since the queue was empty.
  if (TaskNode* node = queue.size() != 0 ? queue.pop() : nullptr) return node;
  if (TaskNode* frame = next_ready()) return frame;
  if (leapfrog_victim != kNoWorker && leapfrog_victim != index) {
    if (TaskNode* node = steal_from(*pool.workers[leapfrog_victim], true, true)) return node;
  }
  leapfrog_victim = kNoWorker;
  if (TaskNode* node = take_oldest(pool.injected, arrived)) return node;
  if (TaskNode* frame = take_oldest(pool.brought_back, ready)) return frame;  // after all
  const auto n = static_cast<std::uint32_t>(pool.workers.size());
  random ^= random << 13;  // xorshift32 (Marsaglia 2003)
  random ^= random >> 17;
  random ^= random << 5;
  // First what costs nobody anything.
  for (const bool open : {false, true}) {
    for (std::uint32_t i = 0, at = random % n; i < n; ++i, at = at + 1 == n ? 0 : at + 1) {
      if (at == index) continue;
      if (TaskNode* node = steal_from(*pool.workers[at], false, open)) return node;
    }
  }
  return nullptr;
}

TaskNode* Worker::steal_again() noexcept {
  if (last_victim == nullptr || leapfrog_victim != kNoWorker) return nullptr;
  if (io != nullptr || has_mail() || !pool.injected.empty()) return nullptr;  // first in a search
  TaskNode* const node = steal_from(last_victim->queue, queue, false);
  if (node == nullptr || node->scope == scope) return node;
  // Whoever waits for the scope that we leave goes before it: will lie above it.
  push(node);
  leave_scope();
  return nullptr;
}

void Worker::found_work() noexcept {
  set_activity(Activity::kRunning);
  if (!pool.idle.end_search()) return;
  // We were the last to search, and somebody sleeps: whoever queued work meanwhile relied on us.
  if (!pool.work_visible()) {
    heavy_fence();
    if (!pool.work_visible()) return;
  }
  pool.notify();
}

void Worker::relax() noexcept {
  for (int i = 0; i < 16; ++i) spin_pause();
}

bool Worker::frames_wait() const noexcept {
  return ready.size() != 0 || !pool.brought_back.empty();
}

bool Worker::tasks_wait() const noexcept {
  return queue.size() != 0 || arrived.size() != 0 || !pool.injected.empty();
}

TaskNode* Worker::next_ready() noexcept {
  const bool frames_ran = alternation.frames();
  const bool frames = frames_wait();
  if (!frames && !frames_ran) [[likely]] return nullptr;
  if (alternation.frame_next(frames, tasks_wait())) {
    if (TaskNode* const frame = take_oldest(pool.brought_back, ready)) return frame;
  }
  // What frames have started, an answer maybe, does not wait for a task.
  if (frames_ran && tasks_wait() && io != nullptr && io->unsubmitted()) io->turn();
  return nullptr;
}

TaskNode* Worker::next_in_line() noexcept {
  if (TaskNode* node = std::exchange(next, nullptr)) return node;
  if (pace.due()) [[unlikely]] {
    pace.look(Pace::Clock::now());
    last_victim = nullptr;  // others may have something, too
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
  const bool tasks = tasks_wait();
  if (tasks || next != nullptr || frames_wait()) return io->between_tasks(tasks);
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
  if (next != nullptr || std::exchange(gave_way, false)) return nullptr;
  Claim* const claim = pool.take_claim();
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
  const int rounds = pool.workers.size() == 1 && io != nullptr ? 1 : kSearchRounds;
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
  if (pool.workers.size() > 1) heavy_fence();  // alone, only outside threads give us work: seq_cst
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
