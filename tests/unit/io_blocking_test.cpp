// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Threads that block, rest or come from outside while operations are in flight.

#include <weft/weft.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
namespace io = weft::io;

namespace {

Task<std::size_t> read_one(const io::Fd& fd) {
  std::array<std::byte, 1> one;
  co_return (co_await io::read(fd, one)).value();
}

BOOST_AUTO_TEST_SUITE(io_blocking)

// The thread that started a read blocks in sync for it: it has to reap while it is blocked.
WEFT_IO_TEST_EACH_WORKERS(sync_in_a_task) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  const std::size_t n = pool.run([&]() -> Task<std::size_t> {
    (co_await io::nop()).value();
    std::size_t sum = 0;
    for (int i = 0; i < 20; ++i) {
      Flowvar<std::size_t> reader = weft::spawn(read_one(pipe.first));
      Flowvar<> writer = weft::spawn([&]() -> Task<> {
        (co_await io::sleep_for(100us)).value();
        (co_await io::write(pipe.second, bytes("x"))).value();
      });
      sum += weft::sync(std::move(reader));
      weft::sync(std::move(writer));
    }
    co_return sum;
  });
  BOOST_TEST(n == 20u);
}

// A thread at rest has operations of the time when it served.
WEFT_IO_TEST_EACH_WORKERS(operations_outlive_the_service_of_their_thread) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  Ends pipe = weft::test::make_pipe();
  std::vector<Flowvar<std::size_t>> readers;
  pool.run([&]() -> Task<> {
    for (int i = 0; i < 10; ++i) {
      // In the relief's time: started by a thread that rests as soon as the sync returns.
      weft::sync(weft::spawn([&]() -> Task<> {
        for (int k = 0; k < 3; ++k) readers.push_back(weft::spawn(read_one(pipe.first)));
        (co_await io::sleep_for(50us)).value();
      }));
    }
    for (std::size_t i = 0; i < readers.size(); ++i) {
      (co_await io::write(pipe.second, bytes("x"))).value();
    }
  });
  std::size_t sum = 0;
  for (auto& reader : readers) sum += pool.sync(std::move(reader));
  BOOST_TEST(sum == readers.size());
}

// Every worker is blocked in a sync for what only I/O can bring.
WEFT_IO_TEST_EACH_WORKERS(all_blocked) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::vector<Flowvar<std::size_t>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(pool.spawn([&] { return weft::sync(weft::spawn(read_one(pipe.first))); }));
  }
  for (int i = 0; i < 20; ++i) BOOST_REQUIRE(::write(pipe.second.get(), "x", 1) == 1);
  std::size_t sum = 0;
  for (auto& one : all) sum += pool.sync(std::move(one));
  BOOST_TEST(sum == 20u);
}

// Outside threads run tasks as the caller's worker, and have no driver of their own.
WEFT_IO_TEST_EACH_WORKERS(started_by_outside_threads) {
  Threadpool pool(workers);
  std::atomic<std::size_t> sum{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        Ends pipe = weft::test::make_pipe();
        for (int i = 0; i < 100; ++i) {
          weft::test::require(::write(pipe.second.get(), "x", 1) == 1, "write");
          sum += pool.run(read_one(pipe.first));
        }
      });
    }
  }
  BOOST_TEST(sum.load() == 400u);
}

// One task on each of two pools, each waits for what the other writes.
WEFT_IO_TEST_EACH_WORKERS(two_pools) {
  Threadpool left(workers);
  Threadpool right(workers);
  Ends there = weft::test::make_pipe();
  Ends back = weft::test::make_pipe();
  const auto play = [](const io::Fd& in, const io::Fd& out) -> Task<int> {
    int n = 0;
    for (; n < 300; ++n) {
      (co_await io::write(out, bytes("x"))).value();
      (void)co_await read_one(in);
    }
    co_return n;
  };
  Flowvar<int> one = left.spawn(play(back.first, there.second));
  Flowvar<int> two = right.spawn(play(there.first, back.second));
  BOOST_TEST(left.sync(std::move(one)) == 300);
  BOOST_TEST(right.sync(std::move(two)) == 300);
}

// A worker that never runs dry still sees completions, and the oldest task still gets its turn.
BOOST_AUTO_TEST_CASE(busy_workers_see_completions) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  Ends pipe = weft::test::make_pipe();
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      const auto spin = [&](auto self) -> Task<> {
        rounds.fetch_add(1);
        if (!stop.load()) weft::spawn_detached(self(self));  // there is always one in the queue
        co_return;
      };
      weft::spawn_detached(spin(spin));
      for (int i = 0; i < 50; ++i) {
        Flowvar<std::size_t> reader = weft::spawn(read_one(pipe.first));
        (co_await io::write(pipe.second, bytes("x"))).value();
        BOOST_REQUIRE(co_await std::move(reader) == 1u);
      }
      (co_await io::sleep_for(1ms)).value();
      stop.store(true);
    });
  });
  BOOST_TEST(rounds.load() > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
