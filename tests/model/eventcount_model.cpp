// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The event count with the queues it serves: no wake-up is lost, and its counts are exact. The
// steps are those of lib/loop.cpp, lib/steal.cpp, lib/blocking.cpp and PoolState::inject, one by one.
#include "model.hpp"

#include "weft/detail/eventcount.hpp"
#include "weft/detail/injection.hpp"
#include "weft/detail/taskqueue.hpp"

namespace weft::detail::model {
namespace {

struct Task : TaskNode {
  Plain<int> input{0}, runs{0};
  Parker met;
};

/// A queue for each worker, of which one may be the caller's or a busy one's.
template <class Derived, unsigned kThreads, int kTasks, bool kTogether = false>
struct PoolModel : rl::test_suite<Derived, kThreads> {
  static constexpr unsigned kQueues = 3;
  using Queue = Taskqueue<TaskNode, 4, 1>;

  EventCount* idle = new EventCount;
  InjectionQueue* injected = new InjectionQueue;
  Queue* queues = new Queue[kQueues];
  Task tasks[kTasks];
  Atomic<int> ended{0};
  Atomic<bool> stopping{false};
  Parker caller_parker;

  // ---- producers

  void fill(int i) { tasks[i].input = 1; }
  void push(unsigned worker, int i) {
    fill(i);
    queues[worker].push(&tasks[i]);
    notify_if_idle(worker);
  }
  void notify_if_idle(unsigned worker) {
    light_fence();
    if (!idle->somebody_idle()) return;
    queues[worker].share();
    if (idle->should_notify()) notify();
  }
  void inject(int i) {
    fill(i);
    injected->push(&tasks[i]);
    notify();
  }
  void notify() {
    if (idle->notify_one() == EventCount::Woke::kCaller) caller_parker.unpark();
  }
  void stop() {
    stopping.store(true, seq_cst);
    idle->wake_all();
  }

  // ---- workers

  bool work_visible() {
    if (!injected->empty()) return true;
    for (unsigned i = 0; i < kQueues; ++i) {
      if (queues[i].size() != 0) return true;
    }
    return false;
  }
  TaskNode* take_oldest(unsigned self) {  // of what was injected; the rest into our queue
    TaskNode* const first = injected->take_all();
    if (first == nullptr) return nullptr;
    for (TaskNode* rest = first->link; rest != nullptr;) {
      TaskNode* const node = rest;
      rest = node->link;
      queues[self].push(node);
    }
    return first;
  }
  TaskNode* try_take(unsigned self) {
    if (TaskNode* node = take_oldest(self)) return node;
    for (unsigned i = 0; i < kQueues; ++i) {
      TaskNode* node = nullptr;
      if (i != self && queues[i].steal(node, self) == Queue::Steal::kGot) return node;
    }
    return nullptr;
  }
  // A batch, by a worker that is none of the searchers: for a moment its second task is nowhere.
  TaskNode* steal_batch(unsigned self, unsigned victim) {
    TaskNode *node = nullptr, *extra = nullptr;
    if (queues[victim].steal_public(node) != Queue::Steal::kGot) return nullptr;
    if (queues[victim].steal_public(extra) == Queue::Steal::kGot) {
      queues[self].push(extra);
      notify_if_idle(self);
    }
    return node;
  }
  void found_work() {
    if (!idle->end_search()) return;
    if (!work_visible()) {
      heavy_fence();
      if (!work_visible()) return;
    }
    notify();
  }
  TaskNode* find_work(unsigned self) {
    idle->begin_search();
    for (;;) {
      if (TaskNode* node = try_take(self)) {
        found_work();
        return node;
      }
      if (stopping.load(acquire)) {
        found_work();
        return nullptr;
      }
      const std::uint32_t round = idle->prepare_sleep();
      heavy_fence();
      if (work_visible() || stopping.load(acquire)) {
        idle->cancel_sleep();
      } else {
        idle->sleep(round);
      }
    }
  }
  // The last task ends the pool; if a wake-up was lost, that never comes, which is a deadlock. With
  // `kTogether` each task waits for all others: then so is work that an idle worker leaves alone.
  void run(TaskNode* node) {
    auto* task = static_cast<Task*>(node);
    MODEL_CHECK(task->input == 1);
    task->runs = task->runs + 1;
    if (ended.fetch_add(1, acq_rel) + 1 == kTasks) {
      static_cast<Derived*>(this)->all_ended();
      if (kTogether) {
        for (Task& other : tasks) other.met.unpark();
      }
    } else if (kTogether) {
      while (ended.load(acquire) != kTasks) task->met.park();
    }
  }
  void all_ended() { stop(); }
  void work(unsigned self) {
    for (;;) {
      TaskNode* node = queues[self].pop();
      if (node == nullptr) node = find_work(self);
      if (node == nullptr) return;
      run(node);
    }
  }

  void after() {
    for (Task& task : tasks) MODEL_CHECK(task.runs == 1);
    MODEL_CHECK(idle->num_sleepers() == 0);
    MODEL_CHECK(idle->num_searchers() == 0);
    delete idle;
    delete injected;
    delete[] queues;
  }
};

// A busy worker fills its own queue; two idle ones have to empty it.
struct BusyWorker : PoolModel<BusyWorker, 3, 2, true> {
  void thread(unsigned index) {
    if (index != 0) return work(index);
    push(0, 0);
    push(0, 1);
  }
};

// A worker takes two of the three tasks of another before it searches, while a third one falls asleep.
struct Batch : PoolModel<Batch, 3, 3, true> {
  void before() {
    for (int i = 0; i < 3; ++i) push(0, i);
    queues[0].share();
  }
  void thread(unsigned index) {
    if (index == 1) {
      if (TaskNode* node = steal_batch(1, 0)) run(node);
    }
    work(index);
  }
};

// Three workers that may all sleep when they are told to stop.
struct Stop : PoolModel<Stop, 4, 1> {
  void all_ended() {}
  void thread(unsigned index) {
    if (index != 3) return work(index);
    tasks[0].input = 1;
    run(&tasks[0]);
    stop();
  }
};

// Two outside threads and two workers.
struct FromOutside : PoolModel<FromOutside, 4, 2, true> {
  void thread(unsigned index) { index < 2 ? inject(static_cast<int>(index)) : work(index - 1); }
};

// One worker, which comes and goes between the tasks of one producer.
struct OneWorker : PoolModel<OneWorker, 2, 3> {
  void thread(unsigned index) {
    if (index == 1) return work(1);
    for (int i = 0; i < 3; ++i) inject(i);
  }
};

// An outside thread works while it waits, as Worker::run_as_caller_until; it sleeps on a parker.
struct Caller : PoolModel<Caller, 3, 2> {
  Atomic<bool> done{false};

  void all_ended() {
    done.store(true, release);
    caller_parker.unpark();
    stop();
  }
  void work_until_done() {
    while (!done.load(acquire)) {
      if (TaskNode* node = queues[0].pop()) {
        run(node);
        continue;
      }
      idle->begin_search();
      TaskNode* node = nullptr;
      while (!done.load(acquire) && (node = try_take(0)) == nullptr) {
        idle->prepare_caller_sleep();
        heavy_fence();
        if (!work_visible() && !done.load(acquire)) caller_parker.park();
        idle->end_caller_sleep();
      }
      found_work();
      if (node != nullptr) run(node);
    }
  }
  void thread(unsigned index) {
    if (index == 0) return work_until_done();
    if (index == 1) return work(1);
    push(2, 0);
    push(2, 1);
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<OneWorker>(200'000) && run<BusyWorker>(200'000) && run<Batch>(200'000) &&
                    run<Stop>(100'000) && run<FromOutside>(300'000) && run<Caller>(200'000);
  return good ? 0 : 1;
}
