// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A thread with no descriptors left could make no driver: its operation failed, as it should, but from
// then on it slept as a listed sleeper without being in the list. Whoever wanted to wake one of the
// listed counted it, did not find it, and tried again for ever.

#include <weft/weft.hpp>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

Task<std::error_code> nothing() { co_return (co_await io::nop()).error(); }

BOOST_AUTO_TEST_CASE(no_descriptor_for_a_driver) {
  (void)io::backend();  // decided while there are some
  for (const int workers : {1, 2, 4}) {
    Threadpool pool({.num_threads = workers, .caller_participates = false});
    {
      const weft::test::Limit none(RLIMIT_NOFILE, 0);
      const std::error_code error = pool.run(nothing());
      // The workers search, sleep, and are woken.
      int sum = 0;
      for (int i = 0; i < 200; ++i) sum += pool.run([] { return 1; });
      BOOST_TEST((error == std::errc::too_many_files_open));
      BOOST_TEST(sum == 200);
    }
    for (int i = 0; i < 20; ++i) BOOST_TEST(!pool.run(nothing()));  // it can be made later
  }
}

Task<> chain(const bool& over) {
  if (!over) weft::spawn_detached(chain(over));
  co_return;
}

// What fails as it starts goes on all the same where the queue never gets empty.
BOOST_AUTO_TEST_CASE(no_descriptor_beside_a_chain) {
  (void)io::backend();
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  const weft::test::Limit none(RLIMIT_NOFILE, 0);
  bool over = false;
  std::error_code error;
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached(chain(over));
    error = co_await nothing();
    over = true;
  }));
  BOOST_TEST((error == std::errc::too_many_files_open));
}

}  // namespace
