// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A frame of a small pool awaited tasks that a high-numbered worker of a larger pool had stolen, and
// then looked for that worker in its own pool, past the end.

#include <weft/weft.hpp>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>
#include <vector>

namespace {

weft::Task<int> leaf() {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  co_return 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(thief_of_another_pool) {
  weft::Threadpool small(1);
  weft::Threadpool large(32);
  std::vector<weft::Flowvar<int>> flowvars;
  large.run([&]() -> weft::Task<> {
    for (int i = 0; i < 64; ++i) flowvars.push_back(weft::spawn(leaf()));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the other workers steal
    co_return;
  });
  const int sum = small.run([&]() -> weft::Task<int> {
    int total = 0;
    for (weft::Flowvar<int>& flowvar : flowvars) total += co_await std::move(flowvar);
    co_return total;
  });
  BOOST_TEST(sum == 64);
}
