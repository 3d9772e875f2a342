// SPDX-License-Identifier: MIT OR Apache-2.0
//
// More than the queues hold, at once; and handlers that compute beside handlers that wait.

#include <weft/weft.hpp>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
using weft::test::fib;
using weft::test::Signal;
namespace io = weft::io;

namespace {

// A thread of the pool that is busy, with a hub, until the end.
class Busy {
 public:
  explicit Busy(Threadpool& pool) {
    pool.spawn_detached([this]() -> Task<> {
      (void)co_await io::nop();
      started_.raise();
      released_.wait();
    });
    started_.wait();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { release(); }
  void release() { released_.raise(); }

 private:
  Signal started_;
  Signal released_;
};

BOOST_AUTO_TEST_SUITE(io_limits)

// Who only computes has no ring, no epoll, and nothing else that takes a descriptor.
WEFT_IO_TEST_EACH_WORKERS(no_descriptors_without_io) {
  const auto before = weft::test::open_descriptors();
  Threadpool pool(workers);
  BOOST_TEST(pool.run(fib(15)) == 610);
  BOOST_TEST(weft::test::open_descriptors() == before);
  pool.run([]() -> Task<> { (co_await io::nop()).value(); });
  BOOST_TEST(weft::test::open_descriptors() > before);
}

// The one hub finds four times what its submission queue takes in its inbox, and starts all of it in one
// turn. Half of that waits for the other half.
BOOST_AUTO_TEST_CASE(full_submission_queue) {
  Threadpool pool({.num_threads = 2, .caller_participates = true});
  constexpr int kOperations = 1000;
  Ends pipe = weft::test::make_pipe();
  Busy thread(pool);
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  pool.run([&]() -> Task<> {  // by this thread, for the other one is busy
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < kOperations; ++i) {
        weft::spawn_detached([&, i]() -> Task<> {
          std::array<std::byte, 1> one{};
          if (started.fetch_add(1) + 1 == kOperations) thread.release();
          if (i % 2 == 0) {
            (co_await io::write(pipe.second, one)).value();
          } else {
            (co_await io::read(pipe.first, one)).value();
          }
          ended += 1;
        });
      }
      co_return;
    });
  });
  BOOST_TEST(ended.load() == kOperations);
}

// The same of cancellations, with more in flight than the completion queue holds.
WEFT_IO_TEST_EACH_WORKERS(all_are_cancelled_at_once) {
  const int operations = weft::test::kSanitized ? 600 : 6000;
  Ends pipe = weft::test::make_pipe();
  for (const bool by_a_token : {false, true}) {
    std::atomic<int> started{0};
    std::atomic<int> cancelled{0};
    std::stop_source stop;
    {
      std::optional<Threadpool> pool(std::in_place, workers);
      for (int i = 0; i < operations; ++i) {
        pool->spawn_detached([&]() -> Task<> {
          std::array<std::byte, 1> one;
          started += 1;
          const auto result = co_await io::read(pipe.first, one).stop_on(stop.get_token());
          cancelled += result.error() == std::errc::operation_canceled ? 1 : 0;
        });
      }
      while (started.load() != operations) pool->run([]() -> Task<> { (void)co_await io::nop(); });
      BOOST_TEST(cancelled.load() == 0);
      if (by_a_token) {
        stop.request_stop();
        pool->sync_all();
      }
    }
    BOOST_TEST(cancelled.load() == operations);
  }
}

Task<> echo(io::Fd socket) {
  std::array<std::byte, 64> buffer;
  while (const std::size_t n = (co_await io::recv(socket, buffer)).value()) {
    (co_await io::send_all(socket, std::span(buffer).first(n))).value();
  }
}

// One handler computes, in tasks that it spawns, until all other connections have been served. So if those
// waited for it, nothing would end. It awaits an operation now and then, for with one worker all of its
// tasks run inside of it.
WEFT_IO_TEST_EACH_WORKERS(a_handler_that_computes) {
  Threadpool pool(workers);
  constexpr int kClients = 8;
  constexpr int kTimes = 20;
  std::atomic<int> served{0};
  std::atomic<std::int64_t> computed{0};
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const std::uint16_t port = io::local_port(listener).value();
    co_await weft::sync_scope([&]() -> Task<> {
      const io::Fd heavy_client = (co_await io::connect_tcp("127.0.0.1", port)).value();
      weft::spawn_detached([&](io::Fd socket) -> Task<> {
        std::array<std::byte, 1> request;
        (co_await io::recv(socket, request)).value();
        while (served.load() < kClients) {
          std::vector<Flowvar<int>> parts;
          for (int i = 0; i < 8; ++i) parts.push_back(weft::spawn(fib(12)));
          for (auto& part : parts) computed += co_await std::move(part);
          (co_await io::nop()).value();
        }
        (co_await io::send_all(socket, request)).value();
      }, (co_await io::accept(listener)).value());
      std::array<std::byte, 1> one{};
      (co_await io::send_all(heavy_client, one)).value();
      for (int i = 0; i < kClients; ++i) {
        weft::spawn_detached([&]() -> Task<> {
          const io::Fd socket = (co_await io::connect_tcp("127.0.0.1", port)).value();
          std::array<std::byte, 64> message{};
          for (int k = 0; k < kTimes; ++k) {
            (co_await io::send_all(socket, message)).value();
            (co_await io::recv(socket, message, MSG_WAITALL)).value();
          }
          served += 1;
        });
        weft::spawn_detached(echo((co_await io::accept(listener)).value()));
      }
      (co_await io::recv(heavy_client, one)).value();
    });
  });
  BOOST_TEST(served.load() == kClients);
  BOOST_TEST(computed.load() % (8 * 144) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
