// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The bell of a thread with a loop of its own: it does not sleep on the descriptor while there is
// something that it has not looked at. The steps are those of finish() and PoolState::run_once.
#include "model.hpp"

#include "weft/detail/doorbell.hpp"
#include "weft/detail/injection.hpp"

namespace weft::detail::model {
namespace {

/// Two tasks end elsewhere. What ended is no more than a flag: no queue orders it.
template <class Derived, unsigned kThreads = 3>
struct DoorbellModel : rl::test_suite<Derived, kThreads> {
  Doorbell* bell = new Doorbell;
  Atomic<std::uint32_t> events[2];
  Atomic<int> ended[2];
  Plain<int> results[2];

  DoorbellModel() {
    for (int i = 0; i < 2; ++i) {
      events[i].store(0, relaxed);
      model_events[i] = &events[i];
      ended[i].store(0, relaxed);
    }
    model_events_open = 0;
  }
  void end_task(int i) {
    results[i] = 1;
    ended[i].exchange(1, acq_rel);  // StateWord::finish
    bell->ring();
  }
  bool all_ended() {
    for (int i = 0; i < 2; ++i) {
      if (ended[i].load(acquire) == 0) return false;
      MODEL_CHECK(results[i] == 1);
    }
    return true;
  }
  void after() {
    MODEL_CHECK(model_events_open <= 1);
    delete bell;
    MODEL_CHECK(model_events_open == 0);
  }
};

// The loop sleeps on the descriptor, whatever run_once() says: as a program's own loop.
struct LoopOnDescriptor : DoorbellModel<LoopOnDescriptor> {
  void thread(unsigned index) {
    if (index < 2) return end_task(static_cast<int>(index));
    while (!all_ended()) {
      wait_event(bell->descriptor());
      bell->answer();
    }
  }
};

// The loop looks only if run_once() has something to tell, which waits otherwise.
struct LoopOnAnswer : DoorbellModel<LoopOnAnswer> {
  void thread(unsigned index) {
    if (index < 2) return end_task(static_cast<int>(index));
    do {
      const int event = bell->descriptor();
      while (!bell->answer()) wait_event(event);
    } while (!all_ended());
  }
};

// One thread has tasks that end one after the other, the descriptor is there from the start.
struct OneAfterTheOther : DoorbellModel<OneAfterTheOther, 2> {
  void before() { bell->descriptor(); }
  void thread(unsigned index) {
    if (index == 0) {
      end_task(0);
      end_task(1);
      return;
    }
    do {
      while (!bell->answer()) wait_event(bell->descriptor());
    } while (!all_ended());
  }
};

// A task that is given to the pool, by a thread that passes no fence: what the bell does before there is a
// descriptor must not hang on those, for want of membarrier(2). The steps are those of PoolState::inject.
struct GivenTask : rl::test_suite<GivenTask, 2> {
  Doorbell bell;
  InjectionQueue injected;
  TaskNode task;
  Atomic<std::uint32_t> event{0};

  void before() {
    model_events[0] = &event;
    model_events_open = 0;
    AsymmetricFences::none = true;
  }
  void thread(unsigned index) {
    if (index == 0) {
      injected.push(&task);
      bell.ring();
      return;
    }
    while (injected.take_all() == nullptr) {
      wait_event(bell.descriptor());
      bell.answer();
    }
  }
  void after() { AsymmetricFences::none = false; }
};

// Two ask for the descriptor at the same time: there is one.
struct TwoAsk : DoorbellModel<TwoAsk> {
  Plain<int> got[2];

  void thread(unsigned index) {
    if (index == 2) return end_task(0);
    got[index] = bell->descriptor();
  }
  void after() {
    // As for the first answer of either: what was done before the bell was there need not be rung.
    MODEL_CHECK(got[0] == got[1]);
    MODEL_CHECK(model_events_open == 1);
    MODEL_CHECK(bell->answer());
    DoorbellModel::after();
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<LoopOnDescriptor>(300'000, 2) && run<LoopOnAnswer>(300'000, 2) &&
                    run<OneAfterTheOther>(200'000, 3) && run<TwoAsk>(100'000, 3) &&
                    run<GivenTask>(100'000, 3);
  return good ? 0 : 1;
}
