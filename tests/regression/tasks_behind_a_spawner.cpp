// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task that spawns detached ones for as long as it runs always has some on offer. Whoever stole from there never
// came to what lay in that worker's other queues: it waited for the end of that task.

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include <boost/test/unit_test.hpp>

#include "../support/spin.hpp"

using weft::Task;
using weft::Threadpool;
using weft::test::spin_for;
using namespace std::chrono_literals;

namespace {

constexpr int kTasks = 8;
constexpr int kEnough = 20'000;       // for a look at the others
constexpr int kMostQueued = 100'000;  // where nobody has a CPU to run them

struct Shared {
  std::atomic<int> busy{0};    // workers that can do nothing else
  std::atomic<int> let_go{0};  // of those
  std::atomic<int> spawned{0}, ran{0};
  std::atomic<int> waiting{0};
  int left_behind = 0;
};

void wait_for(auto condition) {
  while (!condition()) std::this_thread::yield();
}

void be_busy(Shared& shared) {
  const int mine = shared.busy.fetch_add(1);
  wait_for([&] { return shared.let_go.load() > mine; });
}

// Faster than one worker takes them. Lets the others go when something is queued.
void spawner(Shared& shared) {
  while (shared.waiting.load() != 0 && shared.ran.load() < kEnough) {
    spin_for(10us);
    if (shared.spawned.load() - shared.ran.load() >= kMostQueued) continue;
    weft::spawn_detached([&shared] {
      spin_for(20us);
      shared.ran.fetch_add(1);
    });
    if (shared.spawned.fetch_add(1) == 100) shared.let_go = shared.busy.load();
  }
  shared.left_behind = shared.waiting.load();
}

// Whoever takes the first of these takes all of them.
void spawn_from_outside(Threadpool& pool, Shared& shared) {
  shared.waiting = kTasks;
  pool.spawn_detached([&shared] { spawner(shared); });
  for (int i = 0; i < kTasks; ++i) pool.spawn_detached([&shared] { shared.waiting.fetch_sub(1); });
}

BOOST_AUTO_TEST_CASE(arrivals) {
  for (const int workers : {2, 3, 8}) {
    Shared shared;
    Threadpool pool({.num_threads = workers, .caller_participates = false});
    for (int i = 0; i < workers; ++i) pool.spawn_detached([&shared] { be_busy(shared); });
    wait_for([&] { return shared.busy.load() == workers; });
    spawn_from_outside(pool, shared);
    shared.let_go = 1;
    pool.sync_all();
    BOOST_TEST(shared.left_behind == 0);
  }
}

// Its first child is stolen by the other worker, which goes on with the parent, and then with the arrivals.
Task<> await_thief(Shared& shared, std::atomic<bool>& parked) {
  std::atomic<bool> stolen = false;
  auto first = weft::spawn([&] {
    stolen = true;
    wait_for([&] { return shared.busy.load() == 1; });
  });
  auto second = weft::spawn([&] { be_busy(shared); });
  wait_for([&] { return stolen.load(); });
  co_await std::move(first);
  parked = true;
  co_await std::move(second);
}

// Who leapfrogs to the spawner is no better off.
BOOST_AUTO_TEST_CASE(arrivals_of_a_thief) {
  Shared shared;
  std::atomic<bool> parked = false, reached = false, all_there = false;
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  pool.spawn_detached(await_thief(shared, parked));
  wait_for([&] { return parked.load(); });
  pool.spawn_detached([&] {
    reached = true;
    wait_for([&] { return all_there.load(); });
  });
  wait_for([&] { return reached.load(); });
  spawn_from_outside(pool, shared);
  all_there = true;
  pool.sync_all();
  BOOST_TEST(shared.left_behind == 0);
}

}  // namespace
