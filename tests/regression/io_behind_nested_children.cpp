// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Who awaited one child after the other ran them nested, all of them, before the worker saw its I/O again.

#include <weft/weft.hpp>

#include <chrono>
#include <functional>
#include <vector>

#include "../support/io.hpp"
#include "../support/spin.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::spin_for;
namespace io = weft::io;
using namespace std::chrono_literals;

namespace {

/// A connection, say: its rounds are counted until `over`.
Task<> go_round(const bool& over, int& rounds) {
  while (!over) {
    (co_await io::nop()).value();
    ++rounds;
  }
}

Task<int> leaf(std::chrono::microseconds grain) {
  spin_for(grain);
  co_return 1;
}

Task<int> tree(int depth, std::chrono::microseconds grain) {
  if (depth == 0) co_return co_await leaf(grain);
  Flowvar<int> left = weft::spawn(tree(depth - 1, grain));
  const int right = co_await tree(depth - 1, grain);
  co_return right + co_await std::move(left);
}

Task<int> one_after_the_other(int children, std::chrono::microseconds grain) {
  std::vector<Flowvar<int>> spawned;
  for (int i = 0; i < children; ++i) spawned.push_back(weft::spawn(leaf(grain)));
  int sum = 0;
  for (; !spawned.empty(); spawned.pop_back()) sum += co_await std::move(spawned.back());  // the newest, nested
  co_return sum;
}

struct Result {
  int sum, rounds;
};

/// What `computation` returns, and how often the connection went round beside it.
Result beside_a_connection(const std::function<Task<int>()>& computation) {
  bool over = false;
  int rounds = 0, sum = 0;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached(go_round(over, rounds));
    while (rounds < 2) (co_await io::nop()).value();
    const int before = rounds;
    sum = co_await computation();
    rounds -= before;
    over = true;
  }));
  return {sum, rounds};
}

// Each of the children takes a millisecond. Not a time limit: a slow machine makes for more rounds.
BOOST_AUTO_TEST_CASE(children_of_a_millisecond) {
  const Result result = beside_a_connection([] { return one_after_the_other(100, 1ms); });
  BOOST_TEST(result.sum == 100);
  BOOST_TEST(result.rounds >= 20);
}

BOOST_AUTO_TEST_CASE(a_tree) {
  const Result result = beside_a_connection([] { return tree(10, 100us); });
  BOOST_TEST(result.sum == 1024);
  BOOST_TEST(result.rounds >= 20);
}

// The worker has learned that children are short when the long ones come.
BOOST_AUTO_TEST_CASE(long_children_after_short_ones) {
  const Result result = beside_a_connection([]() -> Task<int> {
    const int sum = co_await tree(12, 0us);
    co_return sum + co_await one_after_the_other(300, 1ms);
  });
  BOOST_TEST(result.sum == 4096 + 300);
  BOOST_TEST(result.rounds >= 20);
}

}  // namespace
