// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Options::io_thread: completions wait for no task that computes for long.

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "../support/io.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
using weft::test::require;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_SUITE(io_thread)

Threadpool::Options with_io_thread(int workers) {
  return {.num_threads = workers, .io_thread = true};
}

Task<std::size_t> received(io::Fd& from, std::size_t wanted) {
  std::array<std::byte, 64> bytes;
  std::size_t total = 0;
  while (total < wanted) {
    const std::size_t some = (co_await io::recv(from, bytes)).value();
    if (some == 0) break;
    total += some;
  }
  co_return total;
}

// Without the I/O thread all that worker 0, an outside thread, starts is done by worker 1, which is
// busy until it has ended.
BOOST_AUTO_TEST_CASE(a_long_task_keeps_no_completion_waiting) {
  std::atomic<bool> began = false, ended = false;
  Threadpool pool(with_io_thread(2));
  pool.spawn_detached([&] {
    began = true;
    while (!ended) std::this_thread::yield();
  });
  while (!began) std::this_thread::yield();
  pool.run([&]() -> Task<> {
    (co_await io::sleep_for(1ms)).value();
    Ends sockets = weft::test::make_socket_pair();
    Flowvar<std::size_t> all = weft::spawn(received(sockets.first, 4));
    (co_await io::send_all(sockets.second, weft::test::bytes("four"))).value();
    const std::size_t total = co_await std::move(all);
    require(total == 4, "all bytes");
  });
  ended = true;
}

WEFT_IO_TEST_EACH_WORKERS(many_of_each_kind) {
  Threadpool pool(with_io_thread(workers));
  std::atomic<int> ended = 0;
  pool.run([&]() -> Task<> {
    std::vector<Flowvar<>> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(weft::spawn([&]() -> Task<> {
        (co_await io::sleep_for(100us)).value();
        Ends sockets = weft::test::make_socket_pair();
        std::array<std::byte, 64> bytes{};
        const auto nothing = co_await io::recv(sockets.first, bytes).timeout(100us);
        require(nothing.error() == std::errc::timed_out, "timed out");
        (co_await io::send_all(sockets.second, bytes)).value();
        const std::size_t total = co_await received(sockets.first, bytes.size());
        require(total == bytes.size(), "all bytes");
        ended.fetch_add(1);
      }));
    }
    for (auto& one : all) co_await std::move(one);
  });
  BOOST_TEST(ended == 200);
}

// The end of the pool, and a dropped Flowvar, reach what the I/O thread has in flight.
WEFT_IO_TEST_EACH_WORKERS(ended_with_its_pool) {
  Ends sockets = weft::test::make_socket_pair();
  std::atomic<int> cancelled = 0;
  const auto receive = [&]() -> Task<> {
    std::array<std::byte, 4> bytes;
    const auto got = co_await io::recv(sockets.first, bytes);
    if (got.error() == std::errc::operation_canceled) cancelled.fetch_add(1);
  };
  {
    Threadpool pool(with_io_thread(workers));
    { const Flowvar<> dropped = pool.spawn(receive); }
    BOOST_TEST(cancelled == 1);
    for (int i = 0; i < 20; ++i) pool.spawn_detached(receive);
  }
  BOOST_TEST(cancelled == 21);
}

WEFT_IO_TEST_EACH_WORKERS(a_stream) {
  Threadpool pool(with_io_thread(workers));
  Ends sockets = weft::test::make_socket_pair();
  io::BufferPool buffers(8, 64);
  pool.run([&]() -> Task<> {
    Flowvar<std::size_t> all = weft::spawn([&]() -> Task<std::size_t> {
      std::size_t total = 0;
      auto stream = io::recv_many(sockets.first, buffers);
      while (auto item = co_await stream.next()) {
        const io::Lease lease = std::move(*item).value();
        if (lease.empty()) break;
        total += lease.bytes().size();
      }
      co_return total;
    });
    std::array<std::byte, 100> bytes{};
    for (int i = 0; i < 50; ++i) (co_await io::send_all(sockets.second, bytes)).value();
    (co_await io::shutdown(sockets.second, SHUT_WR)).value();
    const std::size_t total = co_await std::move(all);
    require(total == 5000, "all bytes");
  });
}

// A task that blocks goes on as any worker.
WEFT_IO_TEST_EACH_WORKERS(a_task_that_blocks) {
  Threadpool pool(with_io_thread(workers));
  pool.run([&] {
    for (int i = 0; i < 20; ++i) {
      pool.sync(weft::spawn([]() -> Task<> { (co_await io::sleep_for(50us)).value(); }));
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
