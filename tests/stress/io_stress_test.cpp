// SPDX-License-Identifier: MIT OR Apache-2.0
//
// I/O under load: more operations at once than any queue holds, tasks and operations mixed, random
// cancels, pools that come and go with operations in flight.

#include <weft/weft.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/workers.hpp"
#include "graph.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
using weft::test::fib;
using weft::test::Random;
namespace io = weft::io;

namespace {

int rounds(int normal) { return weft::test::kSanitized ? normal / 10 : normal; }

BOOST_AUTO_TEST_SUITE(io_stress)

WEFT_IO_TEST_EACH_WORKERS(a_hundred_thousand_at_once) {
  Threadpool pool(workers);
  const int n = rounds(100'000);
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> read{0};
  std::atomic<int> polled{0};
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < n; ++i) {
        // All of them wait until the first byte comes; the readers for one of their own.
        weft::spawn_detached([&, i]() -> Task<> {
          if (i % 2 == 0) {
            std::array<std::byte, 1> one;
            read += static_cast<int>((co_await io::read(pipe.first, one)).value());
          } else {
            (co_await io::nop()).value();
            polled += 1;
          }
        });
      }
      std::vector<std::byte> all(static_cast<std::size_t>(n + 1) / 2);
      (co_await io::write_all(pipe.second, all)).value();
    });
  });
  BOOST_TEST(read.load() == (n + 1) / 2);
  BOOST_TEST(polled.load() == n / 2);
}

// Tokens pass through pipes, and a task computes at every stop.
WEFT_IO_TEST_EACH_WORKERS(tasks_and_operations) {
  Threadpool pool(workers);
  constexpr std::size_t kPipes = 16;
  const int n = rounds(2000);
  std::vector<Ends> pipes;
  for (std::size_t i = 0; i < kPipes; ++i) pipes.push_back(weft::test::make_pipe());
  std::atomic<std::int64_t> sum{0};
  const auto station = [&](std::size_t at) -> Task<> {
    std::array<std::byte, 1> token;
    for (int i = 0; i < n; ++i) {
      (co_await io::read_all(pipes[at].first, token)).value();
      sum += co_await fib(8);
      if (i % 8 == 0) (void)co_await weft::spawn(fib(5));
      if (at + 1 < kPipes) (co_await io::write_all(pipes[at + 1].second, token)).value();
    }
  };
  std::vector<Flowvar<>> stations;
  for (std::size_t i = 0; i < kPipes; ++i) stations.push_back(pool.spawn(station(i)));
  std::jthread outside([&] {  // the pool sleeps now and then
    Random random(1);
    for (int i = 0; i < n; ++i) {
      weft::test::require(::write(pipes[0].second.get(), "x", 1) == 1, "write");
      for (std::uint64_t k = random.below(32); k > 0; --k) std::this_thread::yield();
    }
  });
  for (auto& one : stations) pool.sync(std::move(one));
  BOOST_TEST(sum.load() == 21 * static_cast<std::int64_t>(kPipes) * n);
}

WEFT_IO_TEST_EACH_WORKERS(random_cancels) {
  Threadpool pool(workers);
  const int n = rounds(20'000);
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> ended{0};
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        Random random(t);
        for (int i = 0; i < n / 100; ++i) {
          std::stop_source stop;
          std::vector<Flowvar<>> some;
          for (int k = 0; k < 30; ++k) {
            some.push_back(pool.spawn([&, which = random.below(3)]() -> Task<> {
              std::array<std::byte, 1> one;
              std::error_code error;
              if (which == 0) {
                error = (co_await io::read(pipe.first, one).stop_on(stop.get_token())).error();
              } else if (which == 1) {
                error = (co_await io::sleep_for(1h).stop_on(stop.get_token())).error();
              } else {
                error = (co_await io::read(pipe.first, one)
                             .timeout(std::chrono::microseconds(50))
                             .stop_on(stop.get_token()))
                            .error();
              }
              if (error != std::errc::operation_canceled &&
                  !(which == 2 && error == std::errc::timed_out)) {
                wrong += 1;
              }
              ended += 1;
            }));
          }
          for (std::uint64_t k = random.below(64); k > 0; --k) std::this_thread::yield();
          if (random.below(4) == 0) some.resize(some.size() / 2);  // dropped
          stop.request_stop();
          for (auto& one : some) pool.sync(std::move(one));
        }
      });
    }
  }
  BOOST_TEST(ended.load() == 3 * (n / 100) * 30);
  BOOST_TEST(wrong.load() == 0);
}

WEFT_IO_TEST_EACH_WORKERS(pools_come_and_go) {
  const int n = rounds(workers == 64 ? 50 : 300);
  const auto before = weft::test::open_descriptors();
  int good = 0;
  for (int i = 0; i < n; ++i) {
    Ends pipe = weft::test::make_pipe();
    std::atomic<int> ended{0};
    {
      Threadpool pool({.num_threads = workers, .caller_participates = i % 2 == 0});
      for (int k = 0; k < 20; ++k) {
        pool.spawn_detached([&]() -> Task<> {
          std::array<std::byte, 1> one;
          (void)co_await io::read(pipe.first, one);
          (void)co_await io::sleep_for(1h);
          ended += 1;
        });
      }
      if (i % 3 == 0) pool.run([]() -> Task<> { (void)co_await io::nop(); });
    }
    good += ended.load() == 20 ? 1 : 0;
  }
  BOOST_TEST(good == n);
  BOOST_TEST(weft::test::open_descriptors() == before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
