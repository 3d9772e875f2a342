// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What ended as it was submitted made one frame ready, which was the next to run. But others were told that there
// was something to be had: for one in eighty operations another worker woke, and slept again.

#include <weft/weft.hpp>

#include <cstdint>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_CASE(io_wakes_others_in_vain) {
  constexpr std::uint64_t kOperations = 20'000;
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  const std::uint64_t before = pool.metrics().total().wakes;
  pool.run([]() -> Task<> {
    for (std::uint64_t i = 0; i < kOperations; ++i) (co_await io::nop()).value();
  });
  BOOST_TEST(pool.metrics().total().wakes - before < kOperations / 200);
}

}  // namespace
