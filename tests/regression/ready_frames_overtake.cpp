// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Frames that I/O made ready came on top of those that had been ready before: with many operations in
// flight a worker served the same few time and again, and the others hardly ever.

#include <weft/weft.hpp>

#include <algorithm>
#include <vector>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

constexpr std::size_t kTasks = 500;
constexpr int kRounds = 1'000;

// Nobody waits for long, so no task gets far ahead of another one.
Task<> go_round(std::vector<int>& rounds, std::size_t own, bool& over) {
  while (!over) {
    (co_await io::nop()).value();
    over = over || ++rounds[own] == kRounds;
  }
}

BOOST_AUTO_TEST_CASE(ready_frames_overtake) {
  std::vector<int> rounds(kTasks);
  bool over = false;
  Threadpool pool(1);
  pool.run(weft::sync_scope([&]() -> Task<> {
    for (std::size_t i = 0; i < kTasks; ++i) weft::spawn_detached(go_round(rounds, i, over));
    co_return;
  }));
  BOOST_TEST(*std::ranges::min_element(rounds) > kRounds / 4);
}

}  // namespace
