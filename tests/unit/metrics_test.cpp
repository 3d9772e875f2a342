// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The counters add up, and print as a table.

#include <weft/weft.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "../support/fib.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;

namespace {
BOOST_AUTO_TEST_SUITE(metrics)

WEFT_TEST_EACH_WORKERS(spawned_equals_executed) {
  Threadpool pool(workers);
  BOOST_TEST(pool.metrics().total().tasks_spawned == 0U);
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(pool.run(fib(12)) == 144);
    pool.spawn_detached([] {});
  }
  pool.sync_all();
  const auto total = pool.metrics().total();
  // fib(n) spawns fib(n + 1) - 1 times; run() and spawn_detached() add one each.
  BOOST_TEST(total.tasks_spawned == 10U * (232U + 1U + 1U));
  BOOST_TEST(total.tasks_executed == total.tasks_spawned);
  // Each of the 232 awaits found its child inline, parked for it, or found it done.
  BOOST_TEST(total.awaits_inline <= 10U * 232U);
  // A call whose callee has parked parks too, and there are as many calls as spawns.
  BOOST_TEST(total.awaits_inline + total.awaits_parked <= 10U * 2U * 232U);
  BOOST_TEST(total.steals_half <= total.steals);
  BOOST_TEST(total.leapfrogs <= total.steals);
}

WEFT_TEST_EACH_WORKERS(refused_spawns_are_not_counted) {
  Threadpool pool(workers);
  pool.run([] {});
  pool.shutdown();
  for (int i = 0; i < 5; ++i) {
    BOOST_CHECK_THROW(pool.spawn_detached([] {}), std::logic_error);
    BOOST_CHECK_THROW((void)pool.spawn(fib(3)), std::logic_error);
  }
  const auto total = pool.metrics().total();
  BOOST_TEST(total.tasks_spawned == 1U);
  BOOST_TEST(total.tasks_executed == 1U);
}

BOOST_AUTO_TEST_CASE(one_worker_awaits_everything_inline) {
  Threadpool pool(1);
  BOOST_TEST(pool.run(fib(12)) == 144);
  const auto total = pool.metrics().total();
  BOOST_TEST(total.awaits_inline == 232U);
  BOOST_TEST(total.awaits_parked == 0U);
  BOOST_TEST(total.steals == 0U);
}

WEFT_TEST_EACH_WORKERS(table) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run(fib(10)) == 55);
  std::ostringstream out;
  out << pool.metrics();
  const std::string table = out.str();
  for (const char* name : {"tasks_spawned", "tasks_executed", "steals", "steals_half", "leapfrogs",
                           "awaits_inline", "awaits_parked", "sleeps", "wakes"}) {
    BOOST_TEST(table.find(name) != std::string::npos, name << " is missing in:\n" << table);
  }
  BOOST_TEST(table.find("total") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
