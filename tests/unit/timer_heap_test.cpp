// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The heap of deadlines against the standard library's set.

#include "../../lib/io/timer_heap.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <random>
#include <set>
#include <vector>

using weft::io::detail::Nanoseconds;
using weft::io::detail::Operation;
using weft::io::detail::TimerHeap;

namespace {

using Order = std::multiset<Nanoseconds>;

class Timers {
 public:
  explicit Timers(std::size_t count) : all_(count), present_(count) {}

  bool has(std::size_t i) const { return present_[i]; }
  void add(std::size_t i, Nanoseconds deadline) {
    BOOST_REQUIRE(heap_.add(all_[i], deadline));
    order_.insert(deadline);
    present_[i] = true;
    check();
  }
  void remove(std::size_t i) {
    order_.erase(order_.find(all_[i].extras()->deadline));
    heap_.remove(all_[i]);
    present_[i] = false;
    check();
  }
  void remove_first() { remove(static_cast<std::size_t>(&heap_.first() - all_.data())); }
  bool empty() const { return order_.empty(); }

 private:
  void check() const {
    BOOST_REQUIRE(heap_.empty() == order_.empty());
    if (order_.empty()) return;
    BOOST_REQUIRE(heap_.next() == *order_.begin());
    BOOST_REQUIRE(heap_.first().extras()->deadline == *order_.begin());
  }

  std::vector<Operation> all_;
  std::vector<bool> present_;
  TimerHeap heap_;
  Order order_;
};

BOOST_AUTO_TEST_SUITE(timer_heap)

BOOST_AUTO_TEST_CASE(added_and_removed_at_random) {
  std::mt19937 random(1);  // NOLINT: the same on each run
  // Few different deadlines, or none that is there twice; as many removed as added, or fewer.
  for (const Nanoseconds range : {10, 1'000'000'000}) {
    for (const unsigned removals_in_ten : {2u, 5u, 9u}) {
      Timers timers(3'000);
      for (int step = 0; step < 30'000; ++step) {
        const std::size_t i = random() % 3'000;
        if (timers.has(i)) {
          if (random() % 10 < removals_in_ten) timers.remove(i);
        } else {
          timers.add(i, static_cast<Nanoseconds>(random()) % range);
        }
        if (random() % 10 == 0 && !timers.empty()) timers.remove_first();
      }
      while (!timers.empty()) timers.remove_first();
    }
  }
}

// As they are without a delay, with the same one for all, with shorter and shorter ones.
BOOST_AUTO_TEST_CASE(added_in_order_and_in_reverse) {
  constexpr std::size_t kCount = 10'000;
  for (const int sign : {0, 1, -1}) {
    Timers timers(kCount);
    for (std::size_t i = 0; i < kCount; ++i) timers.add(i, sign * static_cast<Nanoseconds>(i));
    for (std::size_t i = 0; i < kCount; i += 2) timers.remove(i);
    for (std::size_t i = 0; i < kCount; i += 4) timers.add(i, sign * static_cast<Nanoseconds>(i));
    while (!timers.empty()) timers.remove_first();
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
