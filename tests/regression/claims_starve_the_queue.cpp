// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A worker granted a claim before it looked at its queue, and the newest claim first: tasks that block
// again and again kept a queued one, and one that had blocked before them, from ever running.

#include <weft/weft.hpp>

#include <atomic>
#include <utility>
#include <vector>

#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Threadpool;

namespace {

// Ends only when `last` has run.
template <class Last>
void check(Last last) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  Threadpool other({.num_threads = 1, .caller_participates = false});
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<Flowvar<>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(pool.spawn([&] {
      while (!stop.load()) {
        other.run([] {});
        rounds.fetch_add(1);
      }
    }));
  }
  tasks.push_back(pool.spawn([&] {
    last(other);
    stop.store(true);
  }));
  for (Flowvar<>& task : tasks) pool.sync(std::move(task));
  BOOST_TEST(stop.load());
}

BOOST_AUTO_TEST_CASE(queued_task) {
  check([](Threadpool&) {});
}

BOOST_AUTO_TEST_CASE(task_that_blocked_before) {
  check([](Threadpool& other) {
    for (int i = 0; i < 3; ++i) other.run([] {});
  });
}

}  // namespace
