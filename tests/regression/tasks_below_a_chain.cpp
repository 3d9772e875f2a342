// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where each task spawned another one like itself, what lay below in the queue waited for ever: what outside
// threads had injected together with the first, and what had been spawned before it.

#include <weft/weft.hpp>

#include <atomic>
#include <boost/test/unit_test.hpp>

using weft::Task;
using weft::Threadpool;

namespace {

Task<> chain(const std::atomic<bool>& over) {
  if (!over.load()) weft::spawn_detached(chain(over));
  co_return;
}

Task<> end(std::atomic<bool>& over) {
  over.store(true);
  co_return;
}

Task<> wait_for(const std::atomic<bool>& flag) {
  while (!flag.load()) weft::detail::spin_pause();
  co_return;
}

BOOST_AUTO_TEST_CASE(injected_together) {
  std::atomic<bool> over = false, all_injected = false;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.spawn_detached(wait_for(all_injected));
  for (int i = 0; i < 2; ++i) pool.spawn_detached(chain(over));
  pool.spawn_detached(end(over));
  for (int i = 0; i < 2; ++i) pool.spawn_detached(chain(over));
  all_injected.store(true);
  pool.sync_all();
  BOOST_TEST(over.load());
}

BOOST_AUTO_TEST_CASE(spawned_before) {
  std::atomic<bool> over = false;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached(end(over));
    for (int i = 0; i < 3; ++i) weft::spawn_detached(chain(over));
    co_return;
  }));
  BOOST_TEST(over.load());
}

}  // namespace
