// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task that spawns detached ones for as long as it runs always has some on offer. Whoever stole from there never
// came to what lay in that worker's other queues, and tasks of an outside thread's waited for the end of that one.

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "../support/spin.hpp"

using weft::Threadpool;
using weft::test::spin_for;
using namespace std::chrono_literals;

namespace {

constexpr int kTasks = 8;
constexpr int kMostQueued = 100;

struct Shared {
  std::atomic<int> busy{0};     // workers that can do nothing else
  std::atomic<int> let_go{0};   // of those
  std::atomic<int> queued{0};
  std::atomic<int> waiting{kTasks};
};

void be_busy(Shared& shared) {
  const int mine = shared.busy.fetch_add(1);
  while (shared.let_go.load() <= mine) std::this_thread::yield();
}

// Lets the others go when enough is queued, and ends after all that came with it.
void spawner(Shared& shared, int workers) {
  while (shared.waiting.load() != 0) {
    if (shared.queued.load() >= kMostQueued) continue;
    weft::spawn_detached([&shared] {
      spin_for(20us);
      shared.queued.fetch_sub(1);
    });
    if (shared.queued.fetch_add(1) >= kMostQueued / 2) shared.let_go = workers;
  }
}

BOOST_AUTO_TEST_CASE(tasks_behind_a_spawner) {
  for (const int workers : {2, 3, 8}) {
    Shared shared;
    Threadpool pool({.num_threads = workers, .caller_participates = false});
    for (int i = 0; i < workers; ++i) pool.spawn_detached([&shared] { be_busy(shared); });
    while (shared.busy.load() < workers) std::this_thread::yield();
    // Whoever is let go takes all of these, and runs the first.
    pool.spawn_detached([&shared, workers] { spawner(shared, workers); });
    for (int i = 0; i < kTasks; ++i) pool.spawn_detached([&shared] { shared.waiting.fetch_sub(1); });
    shared.let_go = 1;
    pool.sync_all();
    BOOST_TEST(shared.waiting.load() == 0);
  }
}

}  // namespace
