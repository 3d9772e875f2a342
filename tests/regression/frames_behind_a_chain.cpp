// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Frames that I/O made ready lay in the queue. Now and then the oldest task was taken out from below them, and
// whatever that spawned lay on top from then on: each frame waited until it was the oldest itself.

#include <weft/weft.hpp>

#include <chrono>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

constexpr int kLoops = 16;
constexpr int kRounds = 25;

Task<> compute(const int& left, int& computed) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
  while (std::chrono::steady_clock::now() < end) weft::detail::spin_pause();
  ++computed;
  if (left != 0) weft::spawn_detached(compute(left, computed));
  co_return;
}

Task<> go_round(int& left) {
  for (int i = 0; i < kRounds; ++i) (co_await io::nop()).value();
  --left;
}

// A round is a task of a millisecond, and then all frames. Five of those are allowed, as the machine may have
// other things to do.
BOOST_AUTO_TEST_CASE(frames_behind_a_chain) {
  int left = kLoops, computed = 0;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    for (int i = 0; i < 2; ++i) weft::spawn_detached(compute(left, computed));
    for (int i = 0; i < kLoops; ++i) weft::spawn_detached(go_round(left));
    co_return;
  }));
  BOOST_TEST(computed <= 5 * kRounds);
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

}  // namespace
