// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The line of ready frames that nobody steals from: first in, first out, also when it runs empty between.

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>

#include "weft/detail/ready_frames.hpp"

namespace {

using weft::detail::ReadyFrames;
using weft::detail::TaskNode;

}  // namespace

BOOST_AUTO_TEST_CASE(first_in_first_out) {
  std::array<TaskNode, 5> frames;
  ReadyFrames line;
  std::size_t in = 0;
  std::size_t out = 0;
  // So that each length comes up, from none on.
  for (int round = 0; round < 100; ++round) {
    while (in - out < 1 + static_cast<std::size_t>(round) % frames.size()) line.append(&frames[in++ % frames.size()]);
    const std::size_t left = static_cast<std::size_t>(round) % 3;
    while (in - out > left) BOOST_REQUIRE_EQUAL(line.take(), &frames[out++ % frames.size()]);
    BOOST_TEST(line.empty() == (in == out));
  }
  while (in != out) BOOST_REQUIRE_EQUAL(line.take(), &frames[out++ % frames.size()]);
  BOOST_TEST(line.empty());
  BOOST_TEST(line.take() == nullptr);
}
