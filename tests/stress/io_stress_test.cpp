// SPDX-License-Identifier: MIT OR Apache-2.0
//
// I/O under load: more operations at once than any queue holds, tasks and operations mixed, random
// cancels, pools that come and go with operations in flight.

#include <weft/weft.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <stop_token>
#include <string>
#include <system_error>
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

// WEFT_STRESS_FACTOR makes a soak of it: 100 takes about a minute with tasks_and_operations.
int rounds(int normal) {
  const auto factor = static_cast<int>(weft::test::env_or("WEFT_STRESS_FACTOR", 1));
  return (weft::test::kSanitized ? normal / 10 : normal) * factor;
}

BOOST_AUTO_TEST_SUITE(io_stress)

// Nothing comes before all of them have started; then the readers get a byte each, and who polls is told
// of the other end's close at the latest.
WEFT_IO_TEST_EACH_WORKERS(a_hundred_thousand_at_once) {
  Threadpool pool(workers);
  constexpr int kPipes = 100;
  const int n = rounds(100'000);
  const int readers = n / 2;
  std::vector<Ends> pipes;
  for (int i = 0; i < kPipes; ++i) pipes.push_back(weft::test::make_pipe());
  weft::test::Arrivals started(n);
  weft::test::Arrivals all_read(readers);
  std::atomic<int> read{0};
  std::atomic<int> polled{0};
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < n; ++i) {
        weft::spawn_detached([&, i]() -> Task<> {
          const io::Fd& in = pipes[static_cast<std::size_t>(i % kPipes)].first;
          started.arrive();
          if (i < readers) {
            std::array<std::byte, 1> one;
            read += static_cast<int>((co_await io::read(in, one)).value());
            all_read.arrive();
          } else {
            (co_await io::poll(in, POLLIN)).value();
            polled += 1;
          }
        });
      }
      co_await started.all();
      weft::test::require(read.load() == 0 && polled.load() == 0, "nothing has come yet");
      const std::vector<std::byte> one_each(static_cast<std::size_t>(readers / kPipes));
      for (Ends& pipe : pipes) (co_await io::write_all(pipe.second, one_each)).value();
      co_await all_read.all();
      for (Ends& pipe : pipes) pipe.second = io::Fd();
    });
  });
  BOOST_TEST(read.load() == readers);
  BOOST_TEST(polled.load() == n - readers);
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

// EINTR, wherever a thread waits: in its driver, on a futex, in a system call on a helper thread.
WEFT_IO_TEST_EACH_WORKERS(signals_all_the_time) {
  struct sigaction handled {};
  struct sigaction before {};
  handled.sa_handler = [](int) {};  // without SA_RESTART
  BOOST_REQUIRE(::sigaction(SIGUSR1, &handled, &before) == 0);
  const int n = rounds(2000);
  {
    Threadpool pool(workers);
    std::jthread storm([](std::stop_token stop) {
      while (!stop.stop_requested()) {
        for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
          ::syscall(SYS_tgkill, ::getpid(), std::stoi(thread.path().filename()), SIGUSR1);
        }
        std::this_thread::sleep_for(50us);
      }
    });
    Ends there = weft::test::make_socket_pair();
    Ends back = weft::test::make_pipe();
    weft::test::TemporaryDirectory directory;
    const std::string path = directory / "file";
    Flowvar<> answers = pool.spawn([&]() -> Task<> {
      std::array<std::byte, 1> one;
      for (int i = 0; i < n; ++i) {
        weft::test::require((co_await io::recv(there.first, one)).value() == 1, "recv");
        (co_await io::write_all(back.second, one)).value();
      }
    });
    Flowvar<> files = pool.spawn([&]() -> Task<> {
      for (int i = 0; i < n / 10; ++i) {
        try {
          const io::Fd file =
              (co_await io::openat(io::borrow(AT_FDCWD), path, O_RDWR | O_CREAT, 0600)).value();
          (co_await io::write_all(file, bytes("content"), 0)).value();
          (co_await io::fsync(file)).value();
        } catch (const std::system_error& error) {
          // For these the ring makes threads, and where signals keep it from that it drops a request.
          if (error.code() != std::errc::operation_canceled) throw;
        }
      }
    });
    pool.run([&]() -> Task<> {
      std::array<std::byte, 1> one{};
      for (int i = 0; i < n; ++i) {
        (co_await io::send_all(there.second, one)).value();
        weft::test::require((co_await io::read_all(back.first, one)).value() == 1, "read");
        if (i % 8 == 0) (co_await io::sleep_for(100us)).value();
      }
    });
    pool.sync(std::move(answers));
    pool.sync(std::move(files));
  }
  BOOST_TEST(::sigaction(SIGUSR1, &before, nullptr) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
