// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A worker's frames: how they nest, park and end. `docs/design/scheduler.md`.
#include "weft/detail/worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <exception>

#include "io/drops.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/frame_pool.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/watchdog.hpp"

namespace weft::detail {

constinit thread_local Worker* current_worker = nullptr;

namespace {

// How much of a thread's stack frames may nest into; the rest is for the user's code.
constexpr std::uintptr_t kNestingBudget = std::uintptr_t{1} << 20;

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

Worker::Worker(PoolState& owner, std::uint32_t own_index, bool only_one)
    : pool(owner),
      idle(owner.idle),
      index(own_index),
      random(own_index * 2654435761u + 1),
      alone(only_one),
      full_fences(!asymmetric_fences()) {}

Worker::~Worker() = default;

// ---- nesting and parking -------------------------------------------------------------------

void Worker::set_stack_limit() noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const Stack& stack = own_stack();
  // On a stack that is not the thread's own (a fiber's), what is left is unknown: nest little.
  const bool on_it = stack.low < here && here < stack.high;
  const std::uintptr_t left = on_it ? here - stack.low : 64 * 1024;
  stack_limit = whole_stack_limit = here - std::min(kNestingBudget, left / 2);
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

void Worker::run_above(TaskNode* node, bool dropped) {
  Scope* const outer = scope;
  Scope* const inner = node->scope;
  enter(inner);
  const std::uintptr_t limit = std::exchange(stack_limit, whole_stack_limit);
  nest.scope = outer;
  const Nest waiting = nest;
  nest = {.root = node, .below = &waiting, .dropped = dropped};
  node->handle().resume();
  if (inner != outer) inner->leave();
  if (current_worker == this) stack_limit = limit;
  current_worker->nest = waiting;
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
  look_for_drops();
  return true;
}

void Worker::look_for_drops() noexcept {
  io::detail::look_again(full_fences);
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

ForeignCall::ForeignCall(TaskNode* frame) noexcept
    : frame_(frame), pool_(frame->scope->pool), is_root_(current_worker->nest.root == frame) {
  pool_.visits.enter();
  if (is_root_) current_worker->nest.root = nullptr;
}

ForeignCall::~ForeignCall() { pool_.visits.leave(); }

void ForeignCall::failed() noexcept {
  if (is_root_) current_worker->nest.root = frame_;
  unlist_parked(frame_);
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
    current_worker->nest.root = nullptr;  // destructors of its parameters may block
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

}  // namespace weft::detail
