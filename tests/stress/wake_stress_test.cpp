// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Workers that fall asleep and are woken all the time, pools that come and go, and thieves in great
// number. A lost wake-up shows as a hang, which the library's watchdog explains.

#include <weft/weft.hpp>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/workers.hpp"
#include "graph.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;
using weft::test::Random;

namespace {

int rounds(int normal) { return weft::test::kSanitized ? normal / 10 : normal; }

void pause(Random& random) {
  for (std::uint64_t i = random.below(64); i > 0; --i) {
    std::this_thread::yield();
  }
}

BOOST_AUTO_TEST_SUITE(wake)

// One task at a time, with gaps about as long as it takes a worker to fall asleep.
WEFT_TEST_EACH_WORKERS(trickle_and_wait) {
  Threadpool pool(workers);
  Random random(1);
  std::int64_t sum = 0;
  const int n = rounds(20'000);
  for (int i = 0; i < n; ++i) {
    Flowvar<int> fv = pool.spawn([] { return 1; });
    pause(random);
    sum += pool.sync(std::move(fv));
    pause(random);
  }
  BOOST_TEST(sum == n);
}

// Nobody waits in the pool: only the wake-up of a sleeping worker can make progress.
WEFT_TEST_EACH_WORKERS(trickle_and_watch) {
  Threadpool pool(workers);
  Random random(2);
  std::atomic<int> done{0};
  const int n = rounds(20'000);
  for (int i = 1; i <= n; ++i) {
    pool.spawn_detached([&done] { done.fetch_add(1); });
    weft::test::wait_until([&] { return done.load() == i; });
    pause(random);
  }
  BOOST_TEST(done.load() == n);
}

// Two pools hand a counter back and forth: each message wakes a sleeping pool.
WEFT_TEST_EACH_WORKERS(ping_pong_between_pools) {
  Threadpool ping(workers);
  Threadpool pong(workers);
  const int n = rounds(10'000);
  const int count = ping.run([&]() -> Task<int> {
    int value = 0;
    for (int i = 0; i < n; ++i) {
      Flowvar<int> fv = pong.spawn([value] { return value + 1; });
      value = co_await std::move(fv);
    }
    co_return value;
  });
  BOOST_TEST(count == n);
}

// Bursts that wake many at once, then silence, from several threads.
WEFT_TEST_EACH_WORKERS(bursts_from_foreign_threads) {
  Threadpool pool(workers);
  std::atomic<int> done{0};
  const int n = rounds(300);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Random random(t);
        for (int i = 0; i < n; ++i) {
          pool.sync_scope([&] {
            for (int k = 0; k < 50; ++k) {
              pool.spawn_detached([&done] { done.fetch_add(1); });
            }
          });
          pause(random);
        }
      });
    }
  }
  BOOST_TEST(done.load() == 4 * n * 50);
}

WEFT_TEST_EACH_WORKERS(pools_come_and_go) {
  const int n = rounds(workers == 64 ? 100 : 500);
  int good = 0;
  for (int i = 0; i < n; ++i) {
    std::atomic<int> ran{0};
    std::atomic<int> accepted{0};
    {
      Threadpool pool({.num_threads = workers, .caller_participates = i % 2 == 0});
      std::vector<std::jthread> threads;
      for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
          for (int k = 0; k < 10; ++k) {
            pool.spawn_detached([&ran] { ran.fetch_add(1); });
            accepted.fetch_add(1);
          }
        });
      }
      if (i % 3 == 0) {
        accepted.fetch_add(pool.run(fib(6)) - 8);
      }
      threads.clear();  // joins: nobody may use a pool while it is destroyed
    }
    good += ran.load() == 20 && accepted.load() == 20 ? 1 : 0;
  }
  BOOST_TEST(good == n);
}

// Far more thieves than CPUs after far less work than would feed them.
WEFT_TEST_EACH_WORKERS(steal_storm) {
  Threadpool pool(workers);
  const int n = rounds(100);
  for (int i = 0; i < n; ++i) {
    BOOST_TEST_REQUIRE(pool.run(fib(16)) == 987);
    std::atomic<int> flat{0};
    pool.run([&flat]() -> Task<> {
      std::vector<Flowvar<>> all;
      for (int k = 0; k < 200; ++k) {
        all.push_back(weft::spawn([&flat] { flat.fetch_add(1); }));
      }
      for (Flowvar<>& fv : all) {
        co_await std::move(fv);
      }
    });
    BOOST_TEST_REQUIRE(flat.load() == 200);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
