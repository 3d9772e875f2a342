// SPDX-License-Identifier: MIT OR Apache-2.0
//
// WEFT_NUM_THREADS sizes the global pool, which is made once per process: hence a process of its own.

#include <weft/weft.hpp>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

BOOST_AUTO_TEST_CASE(environment_sets_the_size) {
  ::setenv("WEFT_NUM_THREADS", "5", 1);
  BOOST_TEST(weft::Threadpool::global().num_threads() == 5);
  ::setenv("WEFT_NUM_THREADS", "3", 1);  // read on first use only
  BOOST_TEST(weft::Threadpool::global().num_threads() == 5);
  BOOST_TEST(weft::sync(weft::spawn([] { return 8; })) == 8);
}
