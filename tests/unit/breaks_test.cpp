// SPDX-License-Identifier: MIT OR Apache-2.0
//
// When nested work makes room for I/O, by a clock of its own.

#include "weft/detail/breaks.hpp"

#include <chrono>

#include <boost/test/unit_test.hpp>

using weft::detail::Breaks;
using namespace std::chrono_literals;

namespace {

struct Nesting {
  Breaks breaks;
  Breaks::Clock::time_point now{};
  int looks = 0;

  /// How many frames that take `each` are nested before a break, of at most `most`.
  int nested(std::chrono::nanoseconds each, int most, bool wanted = true) {
    for (int i = 0; i < most; ++i) {
      if (breaks.due()) {
        ++looks;
        if (breaks.look(now, wanted)) return i;
      }
      now += each;
    }
    return most;
  }
};

// The first two are not measured.
BOOST_AUTO_TEST_CASE(long_ones) {
  Nesting nesting;
  for (int i = 0; i < 3; ++i) {
    nesting.breaks.in_loop();
    BOOST_TEST(nesting.nested(1ms, 100) == 2);
    BOOST_TEST(nesting.nested(1ms, 100) == 0);  // until the loop was there
  }
}

BOOST_AUTO_TEST_CASE(short_ones_after_a_millisecond) {
  Nesting nesting;
  const int nested = nesting.nested(100ns, 100'000);
  BOOST_TEST(nested >= 10'000);
  BOOST_TEST(nested <= 10'000 + 40);
  BOOST_TEST(nesting.looks <= nested / 30);
}

BOOST_AUTO_TEST_CASE(long_ones_after_short_ones) {
  Nesting nesting;
  BOOST_TEST(nesting.nested(10ns, 10'000) == 10'000);
  BOOST_TEST(nesting.nested(10ms, 100) <= 32);
  nesting.breaks.in_loop();
  BOOST_TEST(nesting.nested(10ms, 100) == 2);
}

// And as soon as there is.
BOOST_AUTO_TEST_CASE(nothing_to_do_in_the_loop) {
  Nesting nesting;
  BOOST_TEST(nesting.nested(1ms, 100, false) == 100);
  BOOST_TEST(nesting.nested(1ms, 100) <= 1);
}

BOOST_AUTO_TEST_CASE(who_nests_once_needs_no_clock) {
  Nesting nesting;
  for (int i = 0; i < 10; ++i) {
    nesting.breaks.in_loop();
    BOOST_TEST(nesting.nested(1ms, 1) == 1);
  }
  BOOST_TEST(nesting.looks == 0);
}

}  // namespace
