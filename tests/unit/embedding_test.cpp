// SPDX-License-Identifier: MIT OR Apache-2.0
//
// run_once and wait_fd: a pool in a loop that is not its own.

#include <weft/weft.hpp>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;

namespace {

void wait_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  while (::poll(&one, 1, -1) < 1) {
  }
}

// As a user's loop does: sleeps on the descriptor only.
template <class T>
T loop_until_ready(Threadpool& pool, Flowvar<T> flowvar) {
  while (!flowvar.is_ready()) {
    wait_readable(pool.wait_fd());
    pool.run_once();
  }
  return pool.sync(std::move(flowvar));
}

BOOST_AUTO_TEST_SUITE(embedding)

WEFT_TEST_EACH_WORKERS(a_loop_on_the_descriptor) {
  for (const bool participates : {true, false}) {
    Threadpool pool({.num_threads = workers, .caller_participates = participates});
    for (int i = 0; i < 100; ++i) {
      BOOST_REQUIRE(loop_until_ready(pool, pool.spawn(fib(10))) == 55);
    }
  }
}

WEFT_TEST_EACH_WORKERS(a_loop_on_run_once) {
  Threadpool pool(workers);
  for (int i = 0; i < 100; ++i) {
    Flowvar<int> flowvar = pool.spawn(fib(10));
    while (!flowvar.is_ready()) pool.run_once(std::chrono::system_clock::now() + 1h);
    BOOST_REQUIRE(pool.sync(std::move(flowvar)) == 55);
  }
}

WEFT_TEST_EACH_WORKERS(detached_tasks_ring) {
  Threadpool pool(workers);
  std::atomic<int> ended{0};
  for (int i = 0; i < 100; ++i) pool.spawn_detached([&] { ended += 1; });
  while (ended.load() < 100) {
    wait_readable(pool.wait_fd());
    pool.run_once(1h);
  }
}

// Nobody rings for a task that ended before there was a descriptor, and no other one comes.
WEFT_TEST_EACH_WORKERS(ended_before_it_was_asked_for) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  pool.spawn_detached([] {});
  pool.sync_all();
  wait_readable(pool.wait_fd());
  BOOST_TEST(pool.run_once(24h));
  BOOST_TEST(!pool.run_once());
}

// The calling thread does work: the other worker is busy until it has.
BOOST_AUTO_TEST_CASE(works_on_this_thread) {
  Threadpool pool(2);
  weft::test::Signal here;
  weft::test::Signal busy;
  pool.spawn_detached([&] {
    busy.raise();
    here.wait();
  });
  busy.wait();
  const std::thread::id me = std::this_thread::get_id();
  pool.spawn_detached([&] {
    if (std::this_thread::get_id() == me) here.raise();
  });
  while (!here.raised()) pool.run_once(1h);
  pool.sync_all();
  BOOST_TEST(here.raised());
}

BOOST_AUTO_TEST_CASE(nothing_to_do) {
  for (const int workers : {1, 2}) {
    Threadpool pool(workers);
    (void)pool.run_once();
    BOOST_TEST(!pool.run_once());
    BOOST_TEST(!pool.run_once(1ms));
    BOOST_TEST(!pool.run_once(std::chrono::steady_clock::now() + 1ms));
    BOOST_TEST(!pool.run_once(std::chrono::steady_clock::time_point::min()));
    BOOST_CHECK_THROW(pool.run([&] { pool.run_once(); }), std::logic_error);
  }
}

// The thread comes back from a task as another worker, or as none.
WEFT_TEST_EACH_WORKERS(tasks_that_block) {
  Threadpool pool(workers);
  for (int i = 0; i < 100; ++i) {
    BOOST_REQUIRE(loop_until_ready(pool, pool.spawn([] {
      return weft::sync(weft::spawn([]() -> Task<int> { return fib(8); }));
    })) == 21);
  }
}

WEFT_IO_TEST_EACH_WORKERS(with_io_and_other_threads) {
  Threadpool pool(workers);
  weft::test::Ends pipe = weft::test::make_pipe();
  std::jthread another([&] {
    for (int i = 0; i < 50; ++i) weft::test::require(pool.run(fib(8)) == 21, "fib");
  });
  for (int i = 0; i < 100; ++i) {
    Flowvar<std::size_t> reader = pool.spawn([&]() -> Task<std::size_t> {
      std::array<std::byte, 1> one;
      co_return (co_await weft::io::read(pipe.first, one)).value();
    });
    pool.run_once();
    BOOST_REQUIRE(::write(pipe.second.get(), "x", 1) == 1);
    BOOST_REQUIRE(loop_until_ready(pool, std::move(reader)) == 1u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
