// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Frames that die on another worker than the one that made them: memory must stay flat.
// WEFT_TEST_TASKS sets how many.

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "../support/handshake.hpp"
#include "../support/process.hpp"
#include "../support/workers.hpp"

using weft::Task;
using weft::Threadpool;

namespace {

constexpr std::int64_t kLimit = std::int64_t{16} << 20;
constexpr std::uint64_t kInFlight = 2000;

std::uint64_t tasks() {
  return weft::test::env_or("WEFT_TEST_TASKS",
                            weft::test::kSanitized ? 200'000 : (weft::test::kOptimized ? 50'000'000 : 5'000'000));
}

// Makes `count` tasks and never runs one itself, with a bounded number under way.
template <class Spawn>
void produce(std::uint64_t count, std::atomic<std::uint64_t>& done, Spawn spawn) {
  const std::uint64_t start = done.load();
  for (std::uint64_t made = 0; made < count; ++made) {
    if (made % 256 == 0) {
      weft::test::wait_until([&] { return made - (done.load() - start) < kInFlight; });
    }
    spawn([&done] { done.fetch_add(1, std::memory_order_relaxed); });
  }
  weft::test::wait_until([&] { return done.load() - start == count; });
}

template <class Produce>
void check_flat(Produce make) {
  std::atomic<std::uint64_t> done{0};
  make(100'000, done);  // warm up
  const std::int64_t before = weft::test::resident_bytes();
  make(tasks(), done);
  const std::int64_t growth = weft::test::resident_bytes() - before;
  BOOST_TEST_MESSAGE(done.load() << " tasks, resident set grew by " << growth / 1024 << " KiB");
  BOOST_TEST(done.load() == 100'000 + tasks());
  if (!weft::test::kSanitized) {  // sanitizers keep freed memory on purpose
    BOOST_TEST(growth < kLimit);
  }
}

BOOST_AUTO_TEST_SUITE(flat_memory)

BOOST_AUTO_TEST_CASE(made_by_a_foreign_thread) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  check_flat([&](std::uint64_t count, std::atomic<std::uint64_t>& done) {
    produce(count, done, [&](auto body) { pool.spawn_detached(std::move(body)); });
  });
  pool.sync_all();
}

// The producing worker is busy producing: the other one must steal and free everything.
BOOST_AUTO_TEST_CASE(made_by_one_worker_run_by_another) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  check_flat([&](std::uint64_t count, std::atomic<std::uint64_t>& done) {
    pool.run([&] { produce(count, done, [](auto body) { weft::spawn_detached(std::move(body)); }); });
  });
  pool.sync_all();
}

// The second half must find what the first one left.
template <class Round>
void check_settles(int rounds, Round round) {
  for (int i = 0; i < rounds; ++i) round();
  const std::int64_t before = weft::test::resident_bytes();
  for (int i = 0; i < rounds; ++i) round();
  const std::int64_t growth = weft::test::resident_bytes() - before;
  BOOST_TEST_MESSAGE("resident set grew by " << growth / 1024 << " KiB");
  if (!weft::test::kSanitized) {
    BOOST_TEST(growth < kLimit / 16);
  }
}

// Each thread frees one frame and is gone.
BOOST_AUTO_TEST_CASE(freed_on_short_lived_threads) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  check_settles(weft::test::kSanitized ? 100 : 20'000, [&pool] {
    weft::Flowvar<std::array<char, 256>> task = pool.spawn([] { return std::array<char, 256>{}; });
    std::jthread([task = std::move(task)]() mutable { weft::sync(std::move(task)); }).join();
  });
}

// A `thread_local` task is destroyed after the thread has handed its frames on: made first, it goes
// last.
thread_local Task<std::array<char, 256>> late;
Task<std::array<char, 256>> never_run() { co_return {}; }

BOOST_AUTO_TEST_CASE(freed_by_late_destructors) {
  check_settles(weft::test::kSanitized ? 100 : 20'000, [] {
    std::jthread([] {
      BOOST_TEST_REQUIRE(!late.valid());  // constructs it
      late = never_run();
    }).join();
  });
}

BOOST_AUTO_TEST_CASE(scopes_of_many_threads) {
  Threadpool pool(2);
  check_settles(20, [&pool] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&pool] {
        for (int i = 0; i < 500; ++i) pool.sync_scope([&pool] { pool.spawn_detached([] {}); });
      });
    }
  });
}

// More scopes are open for long than are looked at when one is needed.
BOOST_AUTO_TEST_CASE(scopes_beside_many_open_ones) {
  Threadpool pool(2);
  std::counting_semaphore<> go(0);
  std::vector<std::jthread> open;
  for (int t = 0; t < 100; ++t) {
    open.emplace_back([&pool, &go] { pool.sync_scope([&go] { go.acquire(); }); });
  }
  check_settles(20'000, [&pool] { pool.sync_scope([] {}); });
  go.release(100);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
