// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The scope: its waiters wake when the last task has ended, not earlier, and always.
#include "model.hpp"

#include "weft/detail/scope.hpp"

namespace weft::detail {

struct PoolState {};
struct TaskNode {
  Parker resumed;  // stands for the pool to which the frame goes, and so outlives the wait
};

void resume_on_own_pool(TaskNode* frame) noexcept { frame->resumed.unpark(); }

// As lib/scope.cpp, but for the scope's way back to rest.
void end_joined(Scope* inner) noexcept {
  Scope* const outer = std::exchange(inner->enclosing, nullptr);
  outer->outsider_ended();
}

namespace model {
namespace {

struct ScopeModelBase {
  PoolState pool;
  std::unique_ptr<Scope> scope = std::make_unique<Scope>(pool, 2);
  Plain<int> work[3];

  ScopeModelBase() {
    for (auto& w : work) w = 0;
  }
  void check_all(int tasks) {
    for (int i = 0; i < tasks; ++i) MODEL_CHECK(work[i] == 1);
  }
  // As PoolState::wait_until_quiet.
  void wait_as_thread(Parker& parker) {
    ScopeWaiter waiter;
    waiter.thread = &parker;
    scope->wait(waiter);
    while (!waiter.quiet.load(acquire)) parker.park();
  }
  // As ScopeEntry::park, and then what the resumed frame does.
  void wait_as_frame(TaskNode& frame) {
    ScopeWaiter waiter;
    waiter.frame = &frame;
    scope->wait(waiter);
    frame.resumed.park();  // one token, for one resumption
  }
};

// A task on worker 0 spawns one that worker 1 runs, while two threads wait.
struct TwoWorkersTwoWaiters : ScopeModelBase, rl::test_suite<TwoWorkersTwoWaiters, 4> {
  Parker handed_over, waiting[2];

  void before() { Scope::add_one(scope->counters(0).spawned); }
  void thread(unsigned index) {
    if (index == 0) {
      work[0] = 1;
      Scope::add_one(scope->counters(0).spawned);
      handed_over.unpark();
      work[2] = 1;  // after its child may have ended
      Scope::add_one(scope->counters(0).ended);
      scope->leave();
    } else if (index == 1) {
      handed_over.park();
      work[1] = 1;
      Scope::add_one(scope->counters(1).ended);
      scope->leave();
    } else {
      wait_as_thread(waiting[index - 2]);
      check_all(3);
    }
  }
  void after() { MODEL_CHECK(scope->quiet()); }
};

// The two sums by themselves: a task spawns another, which ends first.
struct JustLook : ScopeModelBase, rl::test_suite<JustLook, 3> {
  Parker handed_over;

  void before() { Scope::add_one(scope->counters(0).spawned); }
  void thread(unsigned index) {
    if (index == 0) {
      Scope::add_one(scope->counters(0).spawned);
      handed_over.unpark();
      work[0] = 1;
      Scope::add_one(scope->counters(0).ended);
    } else if (index == 1) {
      handed_over.park();
      work[1] = 1;
      Scope::add_one(scope->counters(1).ended);
    } else if (scope->quiet()) {
      check_all(2);
    }
  }
};

// Two workers end their tasks at the same time, and a frame awaits them: whoever is last must see
// both ends and the waiter.
struct TwoEndAtOnce : ScopeModelBase, rl::test_suite<TwoEndAtOnce, 3> {
  TaskNode frame;

  void before() {
    Scope::add_one(scope->counters(0).spawned);
    Scope::add_one(scope->counters(0).spawned);
  }
  void thread(unsigned index) {
    if (index < 2) {
      work[index] = 1;
      Scope::add_one(scope->counters(index).ended);
      scope->leave();
    } else {
      wait_as_frame(frame);
      check_all(2);
    }
  }
};

// The scope becomes quiet and busy again: the count of one wave does not end the next, and the
// task that ends nested in its awaiter counts too.
struct TwoWaves : ScopeModelBase, rl::test_suite<TwoWaves, 3> {
  Parker second_wave, waiting[2];

  void before() { Scope::add_one(scope->counters(0).spawned); }
  void thread(unsigned index) {
    if (index == 0) {
      work[0] = 1;
      Scope::add_one(scope->counters(0).ended);
      scope->leave();
    } else if (index == 1) {
      second_wave.park();
      work[1] = 1;
      Scope::add_one(scope->counters(1).inlined);
      scope->leave();
    } else {
      wait_as_thread(waiting[0]);
      MODEL_CHECK(work[0] == 1);
      scope->outsider_spawned();
      second_wave.unpark();
      wait_as_thread(waiting[0]);
      check_all(2);
    }
  }
};

// A task spawns on another pool: the joined scope's two tasks, one there and one that it spawned,
// both end before the wait does.
struct Joined : ScopeModelBase, rl::test_suite<Joined, 4> {
  PoolState other;
  std::unique_ptr<Scope> inner = std::make_unique<Scope>(other, 2);
  Parker injected, handed_over, waiting;

  void before() { Scope::add_one(scope->counters(0).spawned); }
  void thread(unsigned index) {
    if (index == 0) {
      work[0] = 1;
      inner->enclosing = scope.get();
      inner->outsider_spawned();
      inner->join();
      injected.unpark();
      Scope::add_one(scope->counters(0).ended);
      scope->leave();
    } else if (index == 1) {
      injected.park();
      work[1] = 1;
      Scope::add_one(inner->counters(0).spawned);
      handed_over.unpark();
      Scope::add_one(inner->counters(0).ended);
      inner->leave();
    } else if (index == 2) {
      handed_over.park();
      work[2] = 1;
      Scope::add_one(inner->counters(1).ended);
      inner->leave();
    } else {
      wait_as_thread(waiting);
      check_all(3);
    }
  }
};

}  // namespace
}  // namespace model
}  // namespace weft::detail

int main() {
  using namespace weft::detail::model;
  const bool good = run<JustLook>(200'000, 1) && run<TwoWorkersTwoWaiters>(200'000) &&
                    run<TwoEndAtOnce>(300'000) && run<TwoWaves>(300'000) &&
                    run<Joined>(300'000);
  return good ? 0 : 1;
}
