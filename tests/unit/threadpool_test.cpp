// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The pool as an object: construction, misuse, shutdown, several pools, the global one.

#include <sched.h>

#include <cstdlib>
#include <weft/weft.hpp>

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/process.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;

namespace {
BOOST_AUTO_TEST_SUITE(threadpool)

static_assert(!std::is_copy_constructible_v<Threadpool> && !std::is_copy_assignable_v<Threadpool>);

BOOST_AUTO_TEST_CASE(bad_counts_are_named) {
  for (const int bad : {-1, -7, 32'768, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    BOOST_CHECK_EXCEPTION(Threadpool{bad}, std::invalid_argument, [bad](const std::invalid_argument& e) {
      return std::string(e.what()).find(std::to_string(bad)) != std::string::npos;
    });
    BOOST_CHECK_THROW(Threadpool({.num_threads = bad}), std::invalid_argument);
  }
}

WEFT_TEST_EACH_WORKERS(num_threads) {
  BOOST_TEST(Threadpool(workers).num_threads() == workers);
}

BOOST_AUTO_TEST_CASE(default_is_available_parallelism) {
  BOOST_TEST(weft::available_parallelism() >= 1);
  BOOST_TEST(Threadpool().num_threads() == weft::available_parallelism());
  BOOST_TEST(Threadpool(Threadpool::Options{}).num_threads() == weft::available_parallelism());
}

// num_threads - 1 threads and a caller, or num_threads threads; never fewer than one.
WEFT_TEST_EACH_WORKERS(threads_of_a_pool) {
  const char* const watchdog = std::getenv("WEFT_WATCHDOG");
  const std::string seconds = watchdog == nullptr ? "" : watchdog;
  ::unsetenv("WEFT_WATCHDOG");  // its thread would count
  const auto before = weft::test::thread_count();
  const auto alone = workers == 1 ? 1 : workers - 1;
  {
    Threadpool pool({.num_threads = workers, .caller_participates = true});
    BOOST_TEST(weft::test::thread_count() - before == alone);
  }
  {
    Threadpool pool({.num_threads = workers, .caller_participates = false});
    BOOST_TEST(weft::test::thread_count() - before == workers);
  }
  ::setenv("WEFT_WATCHDOG", seconds.c_str(), 1);
}

WEFT_TEST_EACH_WORKERS(options) {
  for (const bool participates : {false, true}) {
    for (const bool pinned : {false, true}) {
      Threadpool pool({.num_threads = workers, .caller_participates = participates, .pin_threads = pinned});
      BOOST_TEST(pool.run(fib(12)) == 144);
    }
  }
}

// Also the thread that relieves one whose task blocks.
BOOST_AUTO_TEST_CASE(pinned_relief) {
  Threadpool pool({.num_threads = 1, .caller_participates = false, .pin_threads = true});
  Threadpool other(1);
  weft::test::Signal go;
  const auto allowed = [] {
    cpu_set_t set;
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
  };
  Flowvar<> blocked = pool.spawn([&] { weft::sync(other.spawn([&go] { go.wait(); })); });
  Flowvar<int> relieved = pool.spawn(allowed);
  BOOST_TEST(pool.sync(std::move(relieved)) == 1);
  go.raise();
  pool.sync(std::move(blocked));
}

WEFT_TEST_EACH_WORKERS(run_takes_callables) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run([] { return 3; }) == 3);
  BOOST_TEST(pool.run([](int a, int b) { return a - b; }, 9, 2) == 7);
  BOOST_TEST(pool.run(fib, 10) == 55);
  int ran = 0;
  pool.run([&ran] { ran = 1; });
  BOOST_TEST(ran == 1);
  int& same = pool.run([&ran]() -> int& { return ran; });  // a reference stays one
  BOOST_TEST(&same == &ran);
}

WEFT_TEST_EACH_WORKERS(current) {
  BOOST_TEST(Threadpool::current() == nullptr);
  Threadpool pool(workers);
  BOOST_TEST(pool.run([] { return Threadpool::current(); }) == &pool);
  BOOST_TEST(Threadpool::current() == nullptr);
}

WEFT_TEST_EACH_WORKERS(use_after_shutdown_throws) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run(fib(5)) == 5);
  pool.shutdown();
  pool.shutdown();  // idempotent
  auto held = std::make_shared<int>(1);
  BOOST_CHECK_THROW((void)pool.spawn([held] { return *held; }), std::logic_error);
  BOOST_CHECK_THROW(pool.spawn_detached([held] {}), std::logic_error);
  BOOST_CHECK_THROW((void)pool.spawn(fib(3)), std::logic_error);
  BOOST_CHECK_THROW((void)pool.run(fib(3)), std::logic_error);
  BOOST_TEST(held.use_count() == 1);  // what was refused is freed
  pool.sync_all();                    // nothing left to wait for
}

WEFT_TEST_EACH_WORKERS(shutdown_finishes_what_was_spawned) {
  std::atomic<int> ran{0};
  Threadpool pool(workers);
  for (int i = 0; i < 1000; ++i) {
    pool.spawn_detached([&ran]() -> Task<> {
      weft::spawn_detached([&ran] { ran.fetch_add(1); });
      co_return;
    });
  }
  pool.shutdown();
  BOOST_TEST(ran.load() == 1000);
}

WEFT_TEST_EACH_WORKERS(destruction_while_busy) {
  std::atomic<int> ran{0};
  {
    Threadpool pool(workers);
    for (int i = 0; i < 200; ++i) {
      pool.spawn_detached([&ran]() -> Task<> {
        (void)co_await fib(6);
        ran.fetch_add(1);
      });
    }
  }
  BOOST_TEST(ran.load() == 200);
}

WEFT_TEST_EACH_WORKERS(concurrent_shutdown) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> ran{0};
    Threadpool pool(workers);
    for (int i = 0; i < 50; ++i) {
      pool.spawn_detached([&ran] { ran.fetch_add(1); });
    }
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&pool] { pool.shutdown(); });
      }
    }
    BOOST_TEST(ran.load() == 50);
  }
}

// Each spawn is either refused with an exception or its task runs.
WEFT_TEST_EACH_WORKERS(spawn_against_shutdown) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> ran{0};
    std::atomic<int> accepted{0};
    Threadpool pool(workers);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
          try {
            for (;;) {
              pool.spawn_detached([&ran] { ran.fetch_add(1); });
              accepted.fetch_add(1);
            }
          } catch (const std::logic_error&) {
          }
        });
      }
      weft::test::wait_until([&] { return accepted.load() > 20; });
      pool.shutdown();
    }
    BOOST_TEST(ran.load() == accepted.load());
  }
}

WEFT_TEST_EACH_WORKERS(sync_all_waits_for_descendants) {
  Threadpool pool(workers);
  std::atomic<int> ran{0};
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 20; ++i) {
      pool.spawn_detached([&ran]() -> Task<> {
        weft::spawn_detached([&ran]() -> Task<> {
          (void)co_await fib(5);
          ran.fetch_add(1);
        });
        co_return;
      });
    }
    pool.sync_all();
    BOOST_TEST(ran.load() == 20 * round);
  }
}

WEFT_TEST_EACH_WORKERS(sync_all_from_a_task_throws) {
  Threadpool pool(workers);
  BOOST_CHECK_THROW(pool.run([&pool] { pool.sync_all(); }), std::logic_error);
  BOOST_TEST(pool.run(fib(6)) == 8);  // the pool is unharmed
}

WEFT_TEST_EACH_WORKERS(several_foreign_threads_in_sync_all) {
  Threadpool pool(workers);
  std::atomic<int> ran{0};
  std::atomic<int> good{0};
  for (int i = 0; i < 100; ++i) {
    pool.spawn_detached([&ran]() -> Task<> {
      (void)co_await fib(8);
      ran.fetch_add(1);
    });
  }
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        pool.sync_all();
        good.fetch_add(ran.load() == 100 ? 1 : 0);
      });
    }
  }
  BOOST_TEST(good.load() == 8);
}

// A task continues on its own pool after awaiting another pool's task, also when it had to park.
WEFT_TEST_EACH_WORKERS(several_pools_and_the_way_home) {
  Threadpool a(workers);
  Threadpool b(workers);
  std::optional<Threadpool> c(2);
  const bool good = a.run([&]() -> Task<bool> {
    bool all = true;
    for (int i = 0; i < 50; ++i) {
      Flowvar<bool> fv = b.spawn([&]() -> Task<bool> {
        Flowvar<int> deeper = c->spawn(fib(9));
        const int value = co_await std::move(deeper);
        co_return value == 34 && Threadpool::current() == &b;
      });
      const bool there = co_await std::move(fv);
      all = all && there && Threadpool::current() == &a;
    }
    co_return all;
  });
  BOOST_TEST(good);
  c.reset();
  BOOST_TEST(b.run(fib(7)) == 13);
}

WEFT_TEST_EACH_WORKERS(sixteen_threads_spawn_and_wait) {
  Threadpool pool(workers);
  std::atomic<int> detached{0};
  std::atomic<int> sum{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          pool.spawn_detached([&detached] { detached.fetch_add(1); });
          sum.fetch_add(pool.run(fib(7)));
          pool.sync_scope([&] { pool.spawn_detached([&detached] { detached.fetch_add(1); }); });
        }
      });
    }
  }
  pool.sync_all();
  BOOST_TEST(detached.load() == 1600);
  BOOST_TEST(sum.load() == 16 * 50 * 13);
}

BOOST_AUTO_TEST_CASE(global_is_one_object) {
  Threadpool& first = Threadpool::global();
  BOOST_TEST(&first == &Threadpool::global());
  BOOST_TEST(first.run(fib(10)) == 55);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
