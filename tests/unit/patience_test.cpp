// SPDX-License-Identifier: MIT OR Apache-2.0
#include "../../lib/io/patience.hpp"

#include <boost/test/unit_test.hpp>

using weft::io::detail::Nanoseconds;
using weft::io::detail::Patience;

namespace {

// One wait of that length, slept through once patience is over. True if it was looked into.
bool wait(Patience& patience, Nanoseconds& now, Nanoseconds length) {
  const bool looks = patience.looks();
  patience.begin(now);
  const bool came = looks && !patience.over(now + length);
  now += length;
  if (!came) {
    patience.sleeps();
    patience.woke(now);
  }
  return looks;
}

int looks_of(Patience& patience, Nanoseconds& now, int waits, Nanoseconds length) {
  int looks = 0;
  for (int i = 0; i < waits; ++i) looks += wait(patience, now, length) ? 1 : 0;
  return looks;
}

BOOST_AUTO_TEST_CASE(looks_after_a_short_wait) {
  Patience patience;
  Nanoseconds now = 1'000'000'000;
  BOOST_TEST(looks_of(patience, now, 100, 10'000) == 99);
}

BOOST_AUTO_TEST_CASE(sleeps_at_once_where_waits_are_long) {
  Patience patience;
  Nanoseconds now = 1'000'000'000;
  BOOST_TEST(looks_of(patience, now, 1'000, 1'000'000) == 0);
  BOOST_TEST(looks_of(patience, now, 100, 10'000) == 99);
}

BOOST_AUTO_TEST_CASE(hardly_looks_where_it_comes_too_late) {
  Patience patience;
  Nanoseconds now = 1'000'000'000;
  BOOST_TEST(looks_of(patience, now, 10'000, 60'000) < 20);
}

BOOST_AUTO_TEST_CASE(hardly_looks_where_every_other_time_is_in_vain) {
  Patience patience;
  Nanoseconds now = 1'000'000'000;
  int looks = 0;
  for (int i = 0; i < 5'000; ++i) {
    looks += looks_of(patience, now, 1, 10'000) + looks_of(patience, now, 1, 60'000);
  }
  BOOST_TEST(looks < 100);
}

}  // namespace
