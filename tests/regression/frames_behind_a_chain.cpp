// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Frames that I/O made ready lay in the queue. Now and then the oldest task was taken out from below them, and
// whatever that spawned lay on top from then on: each frame waited until it was the oldest itself.

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>

#include "../support/io.hpp"
#include "../support/spin.hpp"

using weft::Task;
using weft::Threadpool;
using weft::test::spin_for;
namespace io = weft::io;
using namespace std::chrono_literals;

namespace {

constexpr int kLoops = 16;
constexpr int kRounds = 25;

Task<> compute(std::chrono::milliseconds grain, const int& left, int& computed) {
  spin_for(grain);
  ++computed;
  if (left != 0) weft::spawn_detached(compute(grain, left, computed));
  co_return;
}

Task<> go_round(int& started, int& left) {
  ++started;
  for (int i = 0; i < kRounds; ++i) (co_await io::nop()).value();
  --left;
}

// A round is a task of a millisecond, and then all frames. One for each frame is allowed, as the machine may have
// other things to do; each frame's turn to be the oldest comes after ten. The chain begins when all frames are there:
// what waits for its start below it is a task, and one in ten is the oldest.
BOOST_AUTO_TEST_CASE(frames_behind_a_chain) {
  int started = 0, left = kLoops, computed = 0;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    for (int i = 0; i < kLoops; ++i) weft::spawn_detached(go_round(started, left));
    while (started < kLoops) (co_await io::nop()).value();
    for (int i = 0; i < 2; ++i) weft::spawn_detached(compute(1ms, left, computed));
  }));
  BOOST_TEST(computed >= 2);
  BOOST_TEST(computed < kLoops * kRounds);
}

Task<> go_round_until(const bool& over) {
  while (!over) (co_await io::nop()).value();
}

// Nor does a task wait for frames to come to an end.
BOOST_AUTO_TEST_CASE(task_behind_frames) {
  bool over = false;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached([](bool& flag) -> Task<> {
      flag = true;
      co_return;
    }(over));
    for (int i = 0; i < kLoops; ++i) weft::spawn_detached(go_round_until(over));
    co_return;
  }));
  BOOST_TEST(over);
}

// After that many long tasks the worker looks as often as ever at what its queue keeps waiting.
constexpr int kMany = 130;

// Those looks leave time for frames, also where each task is longer than the time between two looks.
BOOST_AUTO_TEST_CASE(frame_beside_long_tasks) {
  int left = 1, computed = 0;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    for (int i = 0; i < 2; ++i) weft::spawn_detached(compute(12ms, left, computed));
    while (computed < kMany) (co_await io::nop()).value();
    left = 0;
  }));
  BOOST_TEST(computed >= kMany);
}

// The same beside long tasks of an outside thread's.
BOOST_AUTO_TEST_CASE(frame_beside_long_arrivals) {
  std::atomic<int> computed = 0;
  int before_the_last = 0;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.spawn_detached([&]() -> Task<> {
    while (computed.load() < kMany) (co_await io::nop()).value();
    before_the_last = computed.load();
  });
  for (int i = 0; i < 2 * kMany; ++i) {
    pool.spawn_detached([&computed] {
      spin_for(5ms);
      computed.fetch_add(1);
    });
  }
  pool.sync_all();
  BOOST_TEST(before_the_last >= kMany);
  BOOST_TEST(before_the_last < 2 * kMany);
}

}  // namespace
