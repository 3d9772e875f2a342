// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Parked means parked: neither idle workers nor waiting threads use CPU time or wake up now and
// then. The verdict is on CPU time used and on the kernel's count of context switches, which a busy
// machine does not change: a thread that sleeps is not switched.

#include <weft/weft.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/process.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;
using weft::test::Signal;

namespace {

// A task that blocks in read(2): the kernel, not weft, keeps it.
class Pipe {
 public:
  Pipe() { BOOST_REQUIRE(::pipe(ends_.data()) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  int block() {
    started_.raise();
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1 ? 1 : 0;
  }
  void wait_until_blocked() { started_.wait(); }
  int reader() const { return ends_[0]; }
  void release() { BOOST_REQUIRE(::write(ends_[1], "x", 1) == 1); }

 private:
  std::array<int, 2> ends_{};
  Signal started_;
};

// Waits until all other threads have come to rest, then measures them at rest.
void check_rest(std::chrono::seconds span) {
  using namespace std::chrono_literals;
  for (std::int64_t last = -1, now = 0; last != now;) {
    last = weft::test::context_switches_of_others();
    std::this_thread::sleep_for(500ms);
    now = weft::test::context_switches_of_others();
  }
  const std::int64_t switches_before = weft::test::context_switches_of_others();
  const std::int64_t cpu_before = weft::test::cpu_microseconds();
  std::this_thread::sleep_for(span);
  const std::int64_t cpu = weft::test::cpu_microseconds() - cpu_before;
  const std::int64_t switches = weft::test::context_switches_of_others() - switches_before;
  BOOST_TEST_MESSAGE(span.count() << " s: " << cpu << " us of CPU, " << switches << " context switches");
  BOOST_TEST(cpu < 1000);
  BOOST_TEST(switches == 0);
}

constexpr std::chrono::seconds kIdle{10};
constexpr std::chrono::seconds kWaiting{3};

BOOST_AUTO_TEST_SUITE(idle)

BOOST_DATA_TEST_CASE(idle_pool, boost::unit_test::data::make({2, 64}), workers) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run(fib(18)) == 2584);
  check_rest(kIdle);
  BOOST_TEST(pool.run(fib(18)) == 2584);  // and wakes again
}

// How a foreign thread can wait while one task holds out.
enum class Wait { kSync, kSyncAll, kScope, kDrop, kRun, kShutdown };

BOOST_DATA_TEST_CASE(waiting_foreign_thread, boost::unit_test::data::xrange(6) * boost::unit_test::data::make({2, 64}),
                     how, workers) {
  Threadpool pool({.num_threads = workers, .caller_participates = how % 2 == 0});
  Pipe pipe;
  Flowvar<int> held = pool.spawn([&pipe] { return pipe.block(); });
  pipe.wait_until_blocked();
  std::atomic<int> result{-1};
  std::thread waiter([&] {
    switch (static_cast<Wait>(how)) {
      case Wait::kSync:
        result = pool.sync(std::move(held));
        break;
      case Wait::kSyncAll:
        pool.sync_all();
        result = held.is_ready() ? 1 : 0;
        break;
      case Wait::kScope:
        pool.sync_scope([&] { pool.spawn_detached([](Flowvar<int> fv) -> Task<> { (void)co_await std::move(fv); }, std::move(held)); });
        result = 1;
        break;
      case Wait::kDrop: {
        Flowvar<int> dropped = std::move(held);
      }
        result = 1;
        break;
      case Wait::kRun:
        result = pool.run([](Flowvar<int> fv) -> Task<int> { co_return co_await std::move(fv); }, std::move(held));
        break;
      case Wait::kShutdown:
        pool.shutdown();
        result = held.is_ready() ? 1 : 0;
        break;
    }
  });
  check_rest(kWaiting);
  BOOST_TEST(result.load() == -1);  // it did wait
  pipe.release();
  waiter.join();
  BOOST_TEST(result.load() == 1);
}

// A task that awaits, or blocks in sync, while its child is stuck on another worker.
BOOST_DATA_TEST_CASE(waiting_task, boost::unit_test::data::make({false, true}) * boost::unit_test::data::make({2, 64}),
                     blocking, workers) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  Pipe pipe;
  Flowvar<int> parent = pool.spawn([&pipe, blocking = blocking]() -> Task<int> {
    Flowvar<int> child = weft::spawn([&pipe] { return pipe.block(); });
    pipe.wait_until_blocked();
    if (blocking) {
      co_return weft::sync(std::move(child));
    }
    co_return co_await std::move(child);
  });
  pipe.wait_until_blocked();
  check_rest(kWaiting);
  BOOST_TEST(!parent.is_ready());
  pipe.release();
  BOOST_TEST(pool.sync(std::move(parent)) == 1);
}

// Tasks that wait in I/O, with and without a deadline far away.
BOOST_DATA_TEST_CASE(io_in_flight, boost::unit_test::data::make({2, 64}), workers) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  Pipe pipe;
  std::stop_source stop;
  std::atomic<int> ended{0};
  for (int i = 0; i < 100; ++i) {
    pool.spawn_detached([&ended, &pipe, i, token = stop.get_token()]() -> Task<> {
      std::array<std::byte, 1> byte;
      auto read = weft::io::read(weft::io::borrow(pipe.reader()), byte);
      read.stop_on(token);
      if (i % 2 == 0) read.timeout(std::chrono::hours(1));
      const auto result = co_await read;
      ended += result.error() == std::errc::operation_canceled ? 1 : 0;
    });
  }
  check_rest(kWaiting);
  BOOST_TEST(ended.load() == 0);
  stop.request_stop();
  pool.sync_all();
  BOOST_TEST(ended.load() == 100);
}

// As many connections as descriptors allow, up to ten thousand, all quiet. They hold no buffer either. No
// template: GCC 12 cannot parse `(co_await x).value()` in one.
void rest_with_connections(int workers) {
  namespace io = weft::io;
  rlimit limit{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t others = 4 * static_cast<rlim_t>(workers) + 100;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * 10'000 + others);
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  BOOST_REQUIRE(limit.rlim_cur > 2 * others);
  const std::size_t n = std::min<std::size_t>((limit.rlim_cur - others) / 2, 10'000);
  BOOST_TEST_MESSAGE(n << " connections");
  std::vector<weft::test::Ends> sockets;
  for (std::size_t i = 0; i < n; ++i) sockets.push_back(weft::test::make_socket_pair());
  io::BufferPool buffers(16, 64);
  std::atomic<std::size_t> waiting{0};
  std::atomic<std::size_t> bytes{0};
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  for (std::size_t i = 0; i < n; ++i) {
    pool.spawn_detached([&, i]() -> Task<> {
      waiting += 1;
      if (i % 2 == 0) {
        auto stream = io::recv_many(sockets[i].second, buffers);
        while (auto item = co_await stream.next()) bytes += item->value().size();
      } else {
        while (const std::size_t some = (co_await io::recv(sockets[i].second, buffers)).value().size()) {
          bytes += some;
        }
      }
    });
  }
  weft::test::wait_until([&] { return waiting.load() == n; });
  check_rest(kWaiting);
  BOOST_TEST(bytes.load() == 0u);
  for (weft::test::Ends& pair : sockets) {
    BOOST_REQUIRE(::send(pair.first.get(), "x", 1, MSG_NOSIGNAL) == 1);
    pair.first = io::Fd();
  }
  pool.sync_all();
  BOOST_TEST(bytes.load() == n);
}

BOOST_DATA_TEST_CASE(idle_connections, boost::unit_test::data::make({2, 64}), workers) {
  rest_with_connections(workers);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
