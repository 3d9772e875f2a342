// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Threads that sleep in their drivers, next to others that sleep on the event count: tasks, messages
// and claims wake the one that is meant, and the counts stay exact. The steps are those of
// Worker::find_work, Worker::sleep_with_hub, Hub::sleep and Hub::post.
#include <cstdlib>

#include "model.hpp"

#include "weft/detail/eventcount.hpp"
#include "weft/detail/injection.hpp"

namespace weft::detail::model {
namespace {

struct Task : TaskNode {
  Plain<int> input{0}, runs{0};
};

/// Threads below `kHubs` have a hub and sleep in its driver, the others of those that work do not.
template <class Derived, unsigned kThreads, unsigned kHubs, int kTasks>
struct ParkingModel : rl::test_suite<Derived, kThreads> {
  EventCount* idle = new EventCount;
  InjectionQueue* injected = new InjectionQueue;
  Task tasks[kTasks];
  Atomic<int> ended{0};
  Atomic<bool> stopping{false};

  struct Hub {
    Parker parker;
    Atomic<std::uint32_t> event{0};
    ListedSleeper sleeper;
    Atomic<int> mail{0};
    Plain<int> letter{0};  // what the mail brings
    int signals = 0;       // as Hub::signals_
    int taken = 0;
  };
  Hub* hubs = new Hub[kHubs];

  ParkingModel() {
    for (unsigned i = 0; i < kHubs; ++i) {
      model_events[i] = &hubs[i].event;
      hubs[i].sleeper.thread = &hubs[i].parker;
    }
  }

  // ---- those who wake

  void inject(int i) {
    tasks[i].input = 1;
    injected->push(&tasks[i]);
    idle->notify_one();
  }
  void post(unsigned hub) {
    hubs[hub].letter = 1;
    hubs[hub].mail.store(1, release);
    hubs[hub].parker.unpark();
  }
  void stop() {
    stopping.store(true, seq_cst);
    idle->wake_all();
  }

  // ---- workers

  void sleep_in_driver(unsigned self) {
    Hub& hub = hubs[self];
    if (!hub.parker.begin_driver_sleep(static_cast<int>(self))) return;
    hub.taken += static_cast<int>(driver_wait(static_cast<int>(self)));
    hub.signals += hub.parker.end_driver_sleep();
  }
  // Hub::leave_thread: every signal is seen before the event is closed.
  void leave(unsigned self) {
    Hub& hub = hubs[self];
    while (hub.taken < hub.signals) {
      hub.taken += static_cast<int>(driver_wait(static_cast<int>(self)));
    }
    MODEL_CHECK(hub.taken == hub.signals);
  }
  void turn(unsigned self) {
    if (self >= kHubs || hubs[self].mail.exchange(0, acquire) == 0) return;
    MODEL_CHECK(hubs[self].letter == 1);
    end_one();
  }
  void end_one() {
    if (ended.fetch_add(1, acq_rel) + 1 == Derived::kEnds) stop();
  }
  void found_work() {
    if (!idle->end_search()) return;
    if (injected->empty()) {
      heavy_fence();
      if (injected->empty()) return;
    }
    idle->notify_one();
  }
  TaskNode* find_work(unsigned self) {
    idle->begin_search();
    for (;;) {
      turn(self);
      if (TaskNode* const first = injected->take_all()) {
        // One task at a time: the rest goes back, as into a queue that others can see.
        while (TaskNode* const rest = first->link) {
          first->link = rest->link;
          injected->push(rest);
        }
        found_work();
        return first;
      }
      if (stopping.load(acquire)) {
        found_work();
        return nullptr;
      }
      if (self < kHubs) {
        idle->begin_listed_sleep(hubs[self].sleeper);
        heavy_fence();
        if (injected->empty() && !stopping.load(acquire)) sleep_in_driver(self);
        idle->end_listed_sleep(hubs[self].sleeper);
      } else {
        const std::uint32_t round = idle->prepare_sleep();
        heavy_fence();
        if (!injected->empty() || stopping.load(acquire)) {
          idle->cancel_sleep();
        } else {
          idle->sleep(round);
        }
      }
    }
  }
  void work(unsigned self) {
    if (self < kHubs) idle->list(hubs[self].sleeper);
    while (TaskNode* const node = find_work(self)) {
      auto* const task = static_cast<Task*>(node);
      MODEL_CHECK(task->input == 1);
      task->runs = task->runs + 1;
      end_one();
    }
    if (self < kHubs) leave(self);
  }

  void after() {
    for (Task& task : tasks) MODEL_CHECK(task.runs == 1);
    MODEL_CHECK(idle->num_sleepers() == 0);
    MODEL_CHECK(idle->num_searchers() == 0);
    delete idle;
    delete injected;
    delete[] hubs;
  }
};

// Two outside threads, two workers in their drivers.
struct TwoDrivers : ParkingModel<TwoDrivers, 4, 2, 2> {
  static constexpr int kEnds = 2;
  void thread(unsigned index) { index < 2 ? work(index) : inject(static_cast<int>(index) - 2); }
};

// Two outside threads, one worker that now and then wakes by itself while one of them is about to wake
// it: the other one relies on that.
struct OneDriver : ParkingModel<OneDriver, 3, 1, 2> {
  static constexpr int kEnds = 2;
  // Random schedules do not get there; all with two preemptions would take hours. So the first million
  // of those; this model comes last.
  OneDriver() {
    static int schedules = 0;
    if (++schedules <= 1'000'000) return;
    std::cout << "that is enough" << std::endl;
    std::_Exit(0);
  }
  void thread(unsigned index) { index == 0 ? work(0) : inject(static_cast<int>(index) - 1); }
};

// One in its driver, one on the event count; the first also gets mail.
struct Mixed : ParkingModel<Mixed, 4, 1, 1> {
  static constexpr int kEnds = 2;
  void thread(unsigned index) {
    if (index < 2) return work(index);
    index == 2 ? inject(0) : post(0);
  }
};

// Messages alone, from two threads one after the other.
struct Mail : ParkingModel<Mail, 2, 1, 1> {
  static constexpr int kEnds = 2;
  void thread(unsigned index) {
    if (index == 0) return work(0);
    post(0);
    inject(0);
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<Mail>(200'000) && run<Mixed>(200'000) && run<TwoDrivers>(200'000) &&
                    run<OneDriver>(1'000, 2);
  return good ? 0 : 1;
}
