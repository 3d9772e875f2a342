// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A Reactor that had no memory to note an operation let a close fail with ENOMEM: nobody closed the
// descriptor then.

#include <weft/weft.hpp>

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

#include "../support/handshake.hpp"
#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

thread_local bool no_memory = false;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = no_memory ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

BOOST_AUTO_TEST_CASE(close_without_memory) {
  io_uring ring{};
  if (io_uring_queue_init(8, &ring, 0) != 0) return;  // refused here
  {
    io::Reactor reactor{ring};
    Threadpool pool({.num_threads = 1, .caller_participates = false});
    const int number = ::dup(0);
    BOOST_REQUIRE(number >= 0);
    Flowvar<std::error_code> closed = pool.spawn([&]() -> Task<std::error_code> {
      co_return (co_await io::close(io::Fd(number)).on(reactor)).error();
    });
    while (!closed.is_ready()) {
      no_memory = true;
      reactor.submit();
      no_memory = false;
      std::this_thread::yield();
    }
    BOOST_TEST((pool.sync(std::move(closed)) == std::errc::operation_canceled));
    BOOST_TEST(::fcntl(number, F_GETFD) == -1);
    BOOST_TEST(reactor.idle());
  }
  io_uring_queue_exit(&ring);
}

// Nor is there room for a deadline: it fails at once, as it would never end.
BOOST_AUTO_TEST_CASE(deadline_without_memory) {
  io_uring ring{};
  if (io_uring_queue_init(8, &ring, 0) != 0) return;  // refused here
  {
    io::Reactor reactor{ring};
    Threadpool pool({.num_threads = 1, .caller_participates = false});
    for (const bool without : {true, false}) {
      Flowvar<std::error_code> slept = pool.spawn([&]() -> Task<std::error_code> {
        const auto how_long = without ? std::chrono::hours(1) : std::chrono::nanoseconds(1);
        co_return (co_await io::sleep_for(how_long).on(reactor)).error();
      });
      while (!slept.is_ready()) {
        no_memory = without;
        reactor.submit();
        no_memory = false;
        std::this_thread::yield();
      }
      const std::error_code error = pool.sync(std::move(slept));
      BOOST_TEST((without ? error == std::errc::not_enough_memory : !error));
    }
    BOOST_TEST(reactor.idle());
  }
  io_uring_queue_exit(&ring);
}

// A stream's own, which it needs as it begins.
BOOST_AUTO_TEST_CASE(deadline_of_a_stream_without_memory) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  const std::error_code error = pool.run([]() -> Task<std::error_code> {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const io::Fd one(ends[0]), other(ends[1]);
    (co_await io::nop()).value();  // from here on the thread has what I/O takes
    io::Stream<io::Fd> connections = io::accept_many(one).timeout(std::chrono::hours(1));
    auto next = connections.next();
    no_memory = true;
    auto item = co_await next;
    no_memory = false;
    co_return item.value().error();
  });
  BOOST_TEST((error == std::errc::not_enough_memory));
}

// And the end of its pause, after a connection for which there was no descriptor.
BOOST_AUTO_TEST_CASE(pause_of_a_stream_without_memory) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run([]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    io::Stream<io::Fd> connections = io::accept_many(listener);
    const int lowest = ::dup(0);
    ::close(lowest);
    const weft::test::Limit none(RLIMIT_NOFILE, static_cast<rlim_t>(lowest));
    const auto refused = co_await connections.next();
    BOOST_TEST((refused.value().error() == std::errc::too_many_files_open));
    auto next = connections.next();
    no_memory = true;
    const auto item = co_await next;
    no_memory = false;
    BOOST_TEST((item.value().error() == std::errc::not_enough_memory));
    BOOST_TEST(!(co_await connections.next()).has_value());
  });
}

}  // namespace
