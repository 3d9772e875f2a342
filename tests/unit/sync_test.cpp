// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Waiting from ordinary code: on foreign threads, and blocking inside a task.

#include <weft/weft.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
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
// Every level blocks instead of awaiting.
Task<int> blocking_fib(int n) {
  if (n < 2) {
    co_return n;
  }
  Flowvar<int> x = weft::spawn(blocking_fib(n - 1));
  Flowvar<int> y = weft::spawn(blocking_fib(n - 2));
  const int left = weft::sync(std::move(x));
  co_return left + weft::sync(std::move(y));
}

BOOST_AUTO_TEST_SUITE(blocking_sync)

WEFT_TEST_EACH_WORKERS(free_and_member) {
  Threadpool pool(workers);
  BOOST_TEST(weft::sync(pool.spawn(fib(10))) == 55);
  BOOST_TEST(pool.sync(pool.spawn(fib(11))) == 89);
}

WEFT_TEST_EACH_WORKERS(exception_arrives) {
  Threadpool pool(workers);
  BOOST_CHECK_THROW(weft::sync(pool.spawn([] { throw std::range_error("x"); })), std::range_error);
}

WEFT_TEST_EACH_WORKERS(reference_and_void) {
  Threadpool pool(workers);
  int value = 3;
  int& back = weft::sync(pool.spawn([&value]() -> int& { return value; }));
  BOOST_TEST(&back == &value);
  weft::sync(pool.spawn([&value] { value = 4; }));
  BOOST_TEST(value == 4);
}

WEFT_TEST_EACH_WORKERS(sixteen_foreign_threads) {
  Threadpool pool(workers);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&pool, &good, t] {
        for (int i = 0; i < 100; ++i) {
          const int n = 3 + (t + i) % 8;
          const int direct = pool.run(fib(n));
          Flowvar<int> a = pool.spawn(fib(n));
          Flowvar<int> b = pool.spawn(fib(n));
          const int second = pool.sync(std::move(b));
          const int first = pool.sync(std::move(a));
          good.fetch_add(direct == first && first == second ? 1 : 0);
        }
      });
    }
  }
  BOOST_TEST(good.load() == 1600);
}

// The waiter need not be the thread that spawned.
WEFT_TEST_EACH_WORKERS(handle_waited_for_by_another_thread) {
  Threadpool pool(workers);
  Flowvar<int> fv = pool.spawn(fib(9));
  int seen = 0;
  std::jthread([&] { seen = weft::sync(std::move(fv)); }).join();
  BOOST_TEST(seen == 34);
}

// The pool's own thread is busy until `go`: only outside threads can run anything. The second one
// comes while the first one works, and has to take over when that one leaves.
BOOST_AUTO_TEST_CASE(next_outside_thread_takes_over) {
  Threadpool pool(2);
  for (int round = 0; round < 200; ++round) {
    weft::test::Signal busy, first_works, second_waits, go;
    Flowvar<> blocker = pool.spawn([&] {
      busy.raise();
      go.wait();
    });
    busy.wait();
    std::jthread first([&] {
      pool.run([&] {
        first_works.raise();
        second_waits.wait();
      });
    });
    first_works.wait();
    Flowvar<int> task = pool.spawn(fib(10));
    std::jthread second([&] {
      second_waits.raise();
      BOOST_TEST(pool.sync(std::move(task)) == 55);
      go.raise();
    });
    pool.sync(std::move(blocker));  // a third one, which waits for what the second one does
  }
}

WEFT_TEST_EACH_WORKERS(blocking_at_every_level) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run(blocking_fib(10)) == 55);
}

// In the order in which they were spawned: the first one is at the far end of the queue.
WEFT_TEST_EACH_WORKERS(blocking_in_spawn_order) {
  Threadpool pool(workers);
  const int sum = pool.run([]() -> Task<int> {
    std::vector<Flowvar<int>> all;
    for (int i = 0; i < 300; ++i) {
      all.push_back(weft::spawn(fib(5)));
    }
    int total = 0;
    for (Flowvar<int>& fv : all) {
      total += weft::sync(std::move(fv));
    }
    co_return total;
  });
  BOOST_TEST(sum == 1500);
}

// run() of a pool, from a task of that same pool and of another one.
WEFT_TEST_EACH_WORKERS(run_inside_a_task) {
  Threadpool pool(workers);
  Threadpool other(workers);
  const int sum = pool.run([&]() -> Task<int> {
    const int own = pool.run(fib(8));
    const int foreign = other.run(fib(9));
    co_return own + foreign;
  });
  BOOST_TEST(sum == 21 + 34);
}

// Ready again, a blocked task goes on as any worker: the one that it was may be busy for long.
BOOST_AUTO_TEST_CASE(comes_back_as_another_worker) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  Threadpool other(1);
  for (int round = 0; round < 100; ++round) {
    weft::test::Signal blocked_started, go, busy, back;
    Flowvar<int> blocked = pool.spawn([&]() -> Task<int> {
      Flowvar<> elsewhere = other.spawn([&go] { go.wait(); });
      Flowvar<int> own = weft::spawn(fib(5));  // nested afterwards, on whatever worker that is
      blocked_started.raise();
      weft::sync(std::move(elsewhere));
      const int called = co_await fib(6);
      const int value = co_await std::move(own);
      back.raise();
      co_return value + called;
    });
    blocked_started.wait();
    // Whichever worker it takes: the other one is free, and this one waits for the blocked task.
    Flowvar<> stranger = pool.spawn([&] {
      busy.raise();
      back.wait();
    });
    busy.wait();
    go.raise();
    BOOST_TEST(pool.sync(std::move(blocked)) == 5 + 8);
    pool.sync(std::move(stranger));
  }
}

// As many threads as tasks were blocked at once, and some under way: no more come with time.
BOOST_AUTO_TEST_CASE(threads_settle) {
  constexpr int kTasks = 8;
  Threadpool pool({.num_threads = kTasks, .caller_participates = false});
  Threadpool other({.num_threads = 2, .caller_participates = false});
  const auto before = weft::test::thread_count();
  std::vector<Flowvar<>> tasks;
  for (int i = 0; i < kTasks; ++i) {
    tasks.push_back(pool.spawn([&other] {
      for (int round = 0; round < 1000; ++round) weft::sync(other.spawn([] {}));
    }));
  }
  for (Flowvar<>& task : tasks) pool.sync(std::move(task));
  BOOST_TEST(weft::test::thread_count() - before <= 2 * kTasks);
}

// A stolen child that is still running when its parent blocks.
BOOST_AUTO_TEST_CASE(stolen_child) {
  Threadpool pool(2);
  const int value = pool.run([]() -> Task<int> {
    weft::test::Signal started;
    weft::test::Signal helped;
    Flowvar<int> child = weft::spawn([&]() -> Task<int> {
      Flowvar<> needed = weft::spawn([&helped] { helped.raise(); });
      started.raise();
      helped.wait();  // only the worker inside sync can have run it
      co_await std::move(needed);
      co_return 12;
    });
    started.wait();
    co_return weft::sync(std::move(child));
  });
  BOOST_TEST(value == 12);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
