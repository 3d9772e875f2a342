// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Shutdown against spawns from outside: what was accepted has ended before the pool stops, and
// nothing is accepted afterwards.
#include "model.hpp"

#include "weft/detail/closing_gate.hpp"

namespace weft::detail {

struct PoolState {};
struct TaskNode {};

void resume_on_own_pool(TaskNode*) noexcept { MODEL_CHECK(false); }  // no frame waits here
void end_joined(Scope*) noexcept { MODEL_CHECK(false); }              // and no other scope

namespace model {
namespace {

template <class Derived, unsigned kThreads>
struct ShutdownModel : rl::test_suite<Derived, kThreads> {
  PoolState pool;
  std::unique_ptr<Scope> root = std::make_unique<Scope>(pool, 1);
  ClosingGate closing;
  Parker shutting_down;
  Plain<int> stopped{0};
  Plain<int> work[2];

  void before() {
    for (auto& w : work) w = 0;
  }

  // As PoolState::shutdown: stop_threads is the write that the tasks must not race with.
  void shutdown() {
    closing.close();
    ScopeWaiter waiter;
    waiter.thread = &shutting_down;
    root->wait(waiter);
    while (!waiter.quiet.load(acquire)) shutting_down.park();
    stopped = 1;
  }
};

// Accepted tasks touch the pool, so one that comes after the sync is a race with `stopped`.
struct SpawnersEndTheirTasks : ShutdownModel<SpawnersEndTheirTasks, 3> {
  void thread(unsigned index) {
    if (index == 2) return shutdown();
    if (!closing.try_enter(*root)) return;
    MODEL_CHECK(stopped == 0);
    work[index] = 1;
    root->outsider_ended();
  }
};

// The same with a worker that runs the task, and a second spawn that is refused or not.
struct WorkerEndsTheTask : ShutdownModel<WorkerEndsTheTask, 3> {
  Parker worker;
  Atomic<int> handed_over;  // 0 not yet, 1 a task, 2 refused

  void before() {
    ShutdownModel::before();
    handed_over.store(0, relaxed);
  }
  void thread(unsigned index) {
    if (index == 2) return shutdown();
    if (index == 1) {
      while (handed_over.load(acquire) == 0) worker.park();
      if (handed_over.load(relaxed) == 2) return;
      MODEL_CHECK(stopped == 0);
      work[0] = 1;
      Scope::add_one(root->counters(0).ended);
      return root->leave();
    }
    const bool accepted = closing.try_enter(*root);
    handed_over.store(accepted ? 1 : 2, release);
    worker.unpark();
    if (!closing.try_enter(*root)) return;
    MODEL_CHECK(accepted);  // once closed, closed
    MODEL_CHECK(stopped == 0);
    root->outsider_ended();
  }
};

}  // namespace
}  // namespace model
}  // namespace weft::detail

int main() {
  using namespace weft::detail::model;
  return run<SpawnersEndTheirTasks>(500'000) && run<WorkerEndsTheTask>(300'000) ? 0 : 1;
}
