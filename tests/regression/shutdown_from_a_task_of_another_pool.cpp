// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The second of two threads that shut a pool down slept on a futex, also if it was a worker of another
// pool; that pool then could not run what the first pool's last task waited for.

#include <weft/weft.hpp>

#include <stdexcept>
#include <thread>
#include <utility>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Signal;

namespace {

bool refuses(Threadpool& pool) {
  try {
    pool.spawn_detached([] {});
    return false;
  } catch (const std::logic_error&) {
    return true;
  }
}

BOOST_AUTO_TEST_CASE(shutdown_from_a_task_of_another_pool) {
  Threadpool helper({.num_threads = 1, .caller_participates = false});
  Threadpool ending({.num_threads = 1, .caller_participates = false});
  Signal second_comes;
  ending.spawn_detached([&]() -> Task<> {
    second_comes.wait();
    Flowvar<> needs_helper = helper.spawn([] {});
    co_await std::move(needs_helper);
  });
  std::jthread first([&] { ending.shutdown(); });
  weft::test::wait_until([&] { return refuses(ending); });
  const bool ended = helper.run([&] {
    second_comes.raise();
    ending.shutdown();
    return refuses(ending);
  });
  BOOST_TEST(ended);
}

}  // namespace
