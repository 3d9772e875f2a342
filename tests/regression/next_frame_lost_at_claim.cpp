// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task that is about to block leaves a frame in Worker::next (its child ran out of stack budget)
// for the thread that serves the worker from then on. That thread found a claim and granted it first;
// the claimer's task then ended and put another frame into `next`: the first was lost, and with it
// the program.

#include <weft/detail/pool_state.hpp>
#include <weft/weft.hpp>

#include <utility>
#include <vector>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Signal;

namespace {

constexpr int kDepth = 50'000;  // more than the stack budget holds

Task<int> deep(int n) {
  if (n == 0) co_return 0;
  const int below = co_await deep(n - 1);
  co_return below + 1;
}

BOOST_AUTO_TEST_CASE(next_frame_lost_at_claim) {
  Threadpool pool(1);
  Threadpool other(1);
  Signal blocking;
  Signal go;
  // Blocks pool's only worker until `go`, and then claims it.
  auto claimer = [&]() -> Task<int> {
    Flowvar<int> elsewhere = other.spawn([&go] {
      go.wait();
      return 1;
    });
    blocking.raise();
    co_return weft::sync(std::move(elsewhere));
  };
  // Awaits it from so far down the queue that it parks: the claimer's end makes it `next`.
  auto parent = [&]() -> Task<int> {
    Flowvar<int> child = weft::spawn(claimer);
    std::vector<Flowvar<>> above;
    for (int i = 0; i < 100; ++i) above.push_back(weft::spawn([] {}));
    const int value = co_await std::move(child);
    for (Flowvar<>& fv : above) co_await std::move(fv);
    co_return value;
  };
  auto blocker = [&]() -> Task<int> {
    go.raise();
    weft::test::wait_until([] { return weft::detail::current_worker->pool.claims.any(); });
    Flowvar<int> child = weft::spawn(deep(kDepth));
    co_return weft::sync(std::move(child));
  };
  Flowvar<int> first = pool.spawn(parent);
  blocking.wait();  // here: the blocker could be run before the claimer
  Flowvar<int> second = pool.spawn(blocker);
  BOOST_TEST(pool.sync(std::move(second)) == kDepth);
  BOOST_TEST(pool.sync(std::move(first)) == 1);
}

}  // namespace
