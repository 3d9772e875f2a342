// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sleeping and timeouts. A machine may be slow: that a time has not come too early is all that is
// checked of it.

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
namespace io = weft::io;
using Clock = std::chrono::steady_clock;

namespace {

BOOST_AUTO_TEST_SUITE(io_timer)

WEFT_IO_TEST_EACH_WORKERS(never_too_early) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    for (const auto time : {0us, 1us, 900us, 5000us}) {
      const auto before = Clock::now();
      (co_await io::sleep_for(time)).value();
      BOOST_TEST((Clock::now() - before >= time));
    }
    (co_await io::sleep_for(-1h)).value();
    const auto until = Clock::now() + 3ms;
    (co_await io::sleep_until(until)).value();
    BOOST_TEST((Clock::now() >= until));
    (co_await io::sleep_until(std::chrono::system_clock::now() + 2ms)).value();
    (co_await io::sleep_until(Clock::now() - 1h)).value();
  });
}

// One thread: the order of ends is the order of deadlines. Where the machine is so busy that the tasks
// start in a wrong order of time, those are further apart the next time.
BOOST_AUTO_TEST_CASE(in_order) {
  Threadpool pool(1);
  std::vector<int> order;
  for (auto apart = 1ms; apart < 1h && !(order.size() == 10 && std::ranges::is_sorted(order)); apart *= 4) {
    order.clear();
    pool.run([&]() -> Task<> {
      const auto start = Clock::now() + 20 * apart;
      std::vector<Flowvar<>> all;
      for (const int i : {5, 1, 9, 3, 7, 2, 8, 4, 6, 0}) {
        all.push_back(weft::spawn([&, i]() -> Task<> {
          (co_await io::sleep_until(start + i * apart)).value();
          order.push_back(i);
        }));
      }
      for (auto& one : all) co_await std::move(one);
    });
  }
  BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), boost::test_tools::per_element());
}

WEFT_IO_TEST_EACH_WORKERS(timeouts) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    std::array<std::byte, 8> buffer;
    for (const auto limit : {0us, 1us, 2000us}) {
      const auto before = Clock::now();
      const auto read = co_await io::read(pipe.first, buffer).timeout(limit);
      BOOST_TEST((read.error() == std::errc::timed_out));
      BOOST_TEST((Clock::now() - before >= limit));
    }
    // What comes in time is not touched; nor is the next operation on the same frame.
    (co_await io::write(pipe.second, weft::test::bytes("ab")).timeout(1h)).value();
    BOOST_TEST((co_await io::read(pipe.first, buffer).timeout(1h)).value() == 2u);
    BOOST_TEST(((co_await io::sleep_for(1h).timeout(1ms)).error() == std::errc::timed_out));
    (co_await io::sleep_for(1ms).timeout(1h)).value();
    (co_await io::nop().timeout(std::chrono::nanoseconds::max())).value();
    BOOST_TEST((co_await io::statx(io::borrow(AT_FDCWD), "/").timeout(1h)).has_value());
  });
}

// A million at once by default. `cancelled_of_two`: of each two, so many are cancelled, all by one token, once
// all have begun; the others last long enough that most have.
void many_at_once(int cancelled_of_two) {
  const auto n = static_cast<int>(
      weft::test::env_or("WEFT_TEST_TIMERS", weft::test::kSanitized ? 50'000 : 1'000'000));
  Threadpool pool(2);
  weft::test::Arrivals begun(n);
  std::atomic<int> slept{0};
  std::atomic<int> cancelled{0};
  pool.run([&]() -> Task<> {
    std::stop_source stop;
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < n; ++i) {
        weft::spawn_detached([&, i]() -> Task<> {
          const bool ends = i % 2 >= cancelled_of_two;
          auto sleep = io::sleep_for(ends ? 2s + std::chrono::microseconds(i * 37 % 1000) : 10h);
          if (!ends) sleep.stop_on(stop.get_token());
          begun.arrive();
          const auto result = co_await sleep;
          (result.has_value() ? slept : cancelled).fetch_add(1);
        });
      }
      co_await begun.all();
      BOOST_TEST_MESSAGE("at once: " << n - slept.load());
      stop.request_stop();
      co_return;
    });
  });
  const int all_cancelled = cancelled_of_two == 0 ? 0 : cancelled_of_two == 1 ? (n + 1) / 2 : n;
  BOOST_TEST(cancelled.load() == all_cancelled);
  BOOST_TEST(slept.load() == n - all_cancelled);
}

BOOST_AUTO_TEST_CASE(a_million_at_once) { many_at_once(0); }
BOOST_AUTO_TEST_CASE(a_million_half_cancelled) { many_at_once(1); }
BOOST_AUTO_TEST_CASE(a_million_cancelled) { many_at_once(2); }

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
