// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Tasks that go to and fro between two pools inside a scope made a joined scope at every hop; the end
// of such a chain overflowed the stack. And sync_all did not wait for what came back by another pool.

#include <weft/weft.hpp>

#include <atomic>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Task;
using weft::Threadpool;

namespace {

Task<> hop(Threadpool& here, Threadpool& there, int n, std::atomic<int>& hops) {
  hops.fetch_add(1);
  if (n > 0) there.spawn_detached(hop(there, here, n - 1, hops));
  co_return;
}

BOOST_AUTO_TEST_CASE(long_chain) {
  const int n = weft::test::kSanitized ? 20'000 : 200'000;
  Threadpool pool(2);
  Threadpool other(2);
  std::atomic<int> hops{0};
  auto body = [&]() -> Task<> {
    other.spawn_detached(hop(other, pool, n, hops));
    co_return;
  };
  pool.run(weft::sync_scope(body));
  BOOST_TEST(hops.load() == n + 1);
}

WEFT_TEST_EACH_WORKERS(sync_all_waits_for_the_way_back) {
  Threadpool pool(workers);
  Threadpool other({.num_threads = workers, .caller_participates = false});
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> hops{0};
    pool.spawn_detached(hop(pool, other, 7, hops));
    pool.sync_all();
    BOOST_TEST(hops.load() == 8);
  }
}

}  // namespace
