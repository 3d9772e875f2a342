// SPDX-License-Identifier: MIT OR Apache-2.0
//
// io::Reactor: tasks await operations on a ring that this program makes, submits and reaps.

#include <weft/weft.hpp>

#include <liburing.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "../support/handshake.hpp"
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

struct UserRing {
  explicit UserRing(unsigned entries = 64, unsigned flags = 0) {
    made = io_uring_queue_init(entries, &ring, flags) == 0;
  }
  ~UserRing() {
    if (made) io_uring_queue_exit(&ring);
  }
  io_uring ring{};
  bool made = false;
};

// The program's loop, until `done`. \return how many completions were its own
template <class Done>
int drive(io_uring& ring, io::Reactor& reactor, Done done) {
  int own = 0;
  while (!done()) {
    reactor.submit();
    io_uring_cqe* cqe = nullptr;
    if (io_uring_wait_cqe(&ring, &cqe) != 0) continue;
    if (!reactor.dispatch(cqe)) ++own;
    io_uring_cqe_seen(&ring, cqe);
  }
  return own;
}

// As `drive`, until the Flowvar is ready: its task ends on the pool, so the last step rings there.
template <class T>
T drive_until(io_uring& ring, io::Reactor& reactor, Threadpool& pool, Flowvar<T> flowvar) {
  std::atomic<bool> ended{false};
  Flowvar<T> last = pool.spawn([&](Flowvar<T> awaited) -> Task<T> {
    T result = co_await std::move(awaited);
    ended.store(true);
    (void)co_await io::nop().on(reactor);  // has the loop look
    co_return result;
  }, std::move(flowvar));
  drive(ring, reactor, [&] { return ended.load(); });
  while (!last.is_ready()) {
    reactor.submit();
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring, &cqe) != 0) continue;
    BOOST_REQUIRE(reactor.dispatch(*cqe));
    io_uring_cqe_seen(&ring, cqe);
  }
  return pool.sync(std::move(last));
}

BOOST_AUTO_TEST_SUITE(io_reactor)

WEFT_IO_TEST_EACH_WORKERS(reads_and_writes) {
  UserRing user;
  if (!user.made) return;  // refused here
  io::Reactor reactor{user.ring};
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  const auto sum = drive_until(user.ring, reactor, pool, pool.spawn([&]() -> Task<std::size_t> {
    std::size_t total = 0;
    std::array<std::byte, 8> in{};
    for (int i = 0; i < 200; ++i) {
      Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
        co_return (co_await io::read(pipe.first, in).on(reactor)).value();
      });
      total += (co_await io::write(pipe.second, bytes("abcd")).on(reactor)).value();
      total += co_await std::move(reader);
    }
    co_return total;
  }));
  BOOST_TEST(sum == 200u * 8);
}

// The program's completions, whatever user_data it uses, are its own.
WEFT_IO_TEST_EACH_WORKERS(beside_the_programs_own) {
  UserRing user;
  if (!user.made) return;
  io::Reactor reactor{user.ring};
  Threadpool pool(workers);
  std::atomic<int> ended{0};
  constexpr int kTasks = 100;
  for (int i = 0; i < kTasks; ++i) {
    pool.spawn_detached([&]() -> Task<> {
      (void)co_await io::nop().on(reactor);
      (void)co_await io::nop().on(reactor);
      ended += 1;  // last: nobody drives the ring once all have
    });
  }
  int own = 0;
  int asked = 0;
  for (std::uint64_t data = 0; own < 50 || ended.load() < kTasks || !reactor.idle(); ++data) {
    if (asked < 50) {
      io_uring_sqe* const sqe = io_uring_get_sqe(&user.ring);
      BOOST_REQUIRE(sqe != nullptr);
      io_uring_prep_nop(sqe);
      sqe->user_data = data;  // 0, 1, 2, ...
      ++asked;
    }
    reactor.submit();
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&user.ring, &cqe) != 0) continue;
    if (!reactor.dispatch(*cqe)) ++own;
    io_uring_cqe_seen(&user.ring, cqe);
  }
  BOOST_TEST(own == 50);
  BOOST_TEST(asked == 50);
}

WEFT_IO_TEST_EACH_WORKERS(timers_timeouts_and_tokens) {
  UserRing user;
  if (!user.made) return;
  io::Reactor reactor{user.ring};
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  const int good = drive_until(user.ring, reactor, pool, pool.spawn([&]() -> Task<int> {
    std::array<std::byte, 8> in{};
    int n = 0;
    (co_await io::sleep_for(1ms).on(reactor)).value();
    const auto late = co_await io::read(pipe.first, in).timeout(1ms).on(reactor);
    if (late.error() == std::errc::timed_out) ++n;
    std::stop_source stop;
    Flowvar<std::error_code> stopped = weft::spawn([&]() -> Task<std::error_code> {
      std::array<std::byte, 8> buffer{};
      co_return (co_await io::read(pipe.first, buffer).stop_on(stop.get_token()).on(reactor)).error();
    });
    (void)co_await io::nop().on(reactor);
    stop.request_stop();
    if (co_await std::move(stopped) == std::errc::operation_canceled) ++n;
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const auto connected =
        co_await io::connect_tcp("localhost", io::local_port(listener).value()).on(reactor);
    if (connected) ++n;
    // A link, too.
    const auto both = co_await io::link(io::write(pipe.second, bytes("12345678")),
                                        io::read(pipe.first, in)).on(reactor);
    if (std::get<1>(both).value() == 8) ++n;
    co_return n;
  }));
  BOOST_TEST(good == 4);
}

// Registered buffers and files do as ordinary ones: the tables of that ring are the program's.
BOOST_AUTO_TEST_CASE(leaves_the_tables_alone) {
  UserRing user;
  if (!user.made) return;
  io::Reactor reactor{user.ring};
  Threadpool pool(1);
  const Ends pipe = weft::test::make_pipe();
  const int ends[] = {pipe.first.get(), pipe.second.get()};
  const io::FixedFiles files(ends);
  const io::FixedBuffers buffers(2, 8);
  const auto sum = drive_until(user.ring, reactor, pool, pool.spawn([&]() -> Task<std::size_t> {
    std::size_t total = (co_await io::write(files[1], buffers[0]).on(reactor)).value();
    total += (co_await io::read(files[0], buffers[1]).on(reactor)).value();
    io::BufferPool chosen(2, 8);  // those are of a pool's threads
    const auto refused = co_await io::recv(files[0], chosen).on(reactor);
    weft::test::require(refused.error() == std::errc::operation_not_supported, "refused");
    co_return total;
  }));
  BOOST_TEST(sum == 16u);
  BOOST_TEST(io_uring_register_files_sparse(&user.ring, 4) == 0);  // they are still to be made
  BOOST_TEST(io_uring_register_buffers_sparse(&user.ring, 4) == 0);
}

// More than its queues take.
WEFT_IO_TEST_EACH_WORKERS(many_on_a_small_ring) {
  UserRing user(4);
  if (!user.made) return;
  io::Reactor reactor{user.ring};
  Threadpool pool(workers);
  constexpr int kTasks = 500;
  const int ended = drive_until(user.ring, reactor, pool, pool.spawn([&]() -> Task<int> {
    std::atomic<int> n{0};
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < kTasks; ++i) {
        weft::spawn_detached([&]() -> Task<> {
          for (int k = 0; k < 3; ++k) (co_await io::nop().on(reactor)).value();
          n += 1;
        });
      }
      co_return;
    });
    co_return n.load();
  }));
  BOOST_TEST(ended == kTasks);
}

// Its Flowvar is dropped, by a thread and by a task, and its pool ends; another thread drives the ring.
WEFT_IO_TEST_EACH_WORKERS(cancelled_with_its_task) {
  UserRing user;
  if (!user.made) return;
  const Ends pipe = weft::test::make_pipe();
  std::atomic<bool> over{false};
  std::atomic<io::Reactor*> made{nullptr};
  std::jthread driver([&] {
    io::Reactor reactor{user.ring};
    made = &reactor;
    while (!over.load() || !reactor.idle()) {
      reactor.submit();
      io_uring_cqe* cqe = nullptr;
      while (io_uring_peek_cqe(&user.ring, &cqe) == 0) {
        (void)reactor.dispatch(*cqe);
        io_uring_cqe_seen(&user.ring, cqe);
      }
      std::this_thread::yield();
    }
  });
  weft::test::wait_until([&] { return made.load() != nullptr; });
  io::Reactor& reactor = *made.load();
  std::atomic<int> begun{0};
  std::atomic<int> cancelled{0};
  const auto wait = [&]() -> Task<> {
    std::array<std::byte, 8> in{};
    begun += 1;
    const auto result = co_await io::read(pipe.first, in).on(reactor);
    cancelled += result.error() == std::errc::operation_canceled ? 1 : 0;
    // And what is started after that.
    if ((co_await io::sleep_for(1h).on(reactor)).error() == std::errc::operation_canceled) cancelled += 1;
  };
  for (int round = 0; round < 10; ++round) {
    begun = cancelled = 0;
    {
      Threadpool pool(workers);
      { const Flowvar<> dropped = pool.spawn(wait); }
      pool.run([&]() -> Task<> {
        const Flowvar<> dropped = weft::spawn(wait);
        co_return;
      });
      BOOST_TEST(cancelled.load() == 4);
      for (int i = 0; i < 10; ++i) pool.spawn_detached(wait);
      if (round % 2 == 0) weft::test::wait_until([&] { return begun.load() == 12; });
    }
    BOOST_TEST(cancelled.load() == 24);
  }
  over = true;
}

// An earlier deadline moves the one timeout that wakes the program; it adds none.
BOOST_AUTO_TEST_CASE(one_timeout_for_all) {
  UserRing user;
  if (!user.made) return;
  Threadpool pool(1);
  {
    io::Reactor reactor{user.ring};
    const int good = drive_until(user.ring, reactor, pool, pool.spawn([&]() -> Task<int> {
      int n = 0;
      for (int i = 0; i < 50; ++i) {
        n += (co_await io::nop().timeout(std::chrono::hours(100 - i)).on(reactor)) ? 1 : 0;
      }
      const auto before = std::chrono::steady_clock::now();
      (co_await io::sleep_for(2ms).on(reactor)).value();
      n += std::chrono::steady_clock::now() - before >= 2ms ? 1 : 0;
      for (int i = 0; i < 50; ++i) {
        n += (co_await io::nop().timeout(std::chrono::hours(100 - i)).on(reactor)) ? 1 : 0;
      }
      co_return n;
    }));
    BOOST_TEST(good == 101);
  }
  // It took along what it had in the ring.
  io_uring_sqe* const sqe = io_uring_get_sqe(&user.ring);
  BOOST_REQUIRE(sqe != nullptr);
  io_uring_prep_timeout_remove(sqe, io::Reactor::kUserData | 3, 0);
  sqe->user_data = 77;
  BOOST_REQUIRE(io_uring_submit(&user.ring) == 1);
  for (bool found = false; !found;) {
    io_uring_cqe* cqe = nullptr;
    BOOST_REQUIRE(io_uring_wait_cqe(&user.ring, &cqe) == 0);
    found = cqe->user_data == 77;
    if (found) BOOST_TEST(cqe->res == -ENOENT);
    io_uring_cqe_seen(&user.ring, cqe);
  }
}

// What has to be started once more, and finds the program's queue full, is known when it completes. Where
// the kernel takes entries by a thread of its own, submitting does not make room at once.
BOOST_AUTO_TEST_CASE(again_on_a_full_ring) {
  UserRing user(4, IORING_SETUP_SQPOLL);
  if (!user.made) return;
  io::Reactor reactor{user.ring};
  Threadpool pool(1);
  const Ends from = weft::test::make_pipe(O_NONBLOCK);
  const Ends to = weft::test::make_pipe();
  int moved = 0;
  Flowvar<> splices = pool.spawn([&]() -> Task<> {
    std::array<std::byte, 1> one;
    for (int i = 0; i < 50; ++i) {
      // There is nothing yet: it fails, waits for readiness, and is started again.
      moved += static_cast<int>((co_await io::splice(from.first, to.second, 1).on(reactor)).value());
      (co_await io::read(to.first, one)).value();
    }
    (void)co_await io::nop().on(reactor);
  });
  while (!splices.is_ready() || !reactor.idle()) {
    reactor.submit();
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&user.ring, &cqe) == 0) {
      const bool again = cqe->res == -EAGAIN;
      while (io_uring_sqe* const sqe = again ? io_uring_get_sqe(&user.ring) : nullptr) {
        io_uring_prep_nop(sqe);
        sqe->user_data = 5;
      }
      (void)reactor.dispatch(*cqe);
      io_uring_cqe_seen(&user.ring, cqe);
      if (again) BOOST_REQUIRE(::write(from.second.get(), "x", 1) == 1);
    }
  }
  pool.sync(std::move(splices));
  BOOST_TEST(moved == 50);
}

BOOST_AUTO_TEST_CASE(comes_and_goes) {
  UserRing user;
  if (!user.made) return;
  const auto before = weft::test::open_descriptors();
  for (int i = 0; i < 10; ++i) {
    io::Reactor reactor{user.ring};
    reactor.submit();
    BOOST_TEST(reactor.idle());
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
  // What those leave behind is known by its user_data.
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&user.ring, &cqe) == 0) {
    BOOST_TEST((cqe->user_data & ~std::uint64_t{0xFFFF}) == io::Reactor::kUserData);
    io_uring_cqe_seen(&user.ring, cqe);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
