// SPDX-License-Identifier: MIT OR Apache-2.0
//
// sync_scope, awaited and blocking: it returns once everything spawned inside is done.

#include <weft/weft.hpp>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;

namespace {

// Spawns a binary tree of detached tasks and counts its nodes.
Task<> grow(std::atomic<int>& count, int depth) {
  count.fetch_add(1);
  if (depth > 0) {
    weft::spawn_detached(grow(count, depth - 1));
    weft::spawn(grow(count, depth - 1)).detach();
  }
  co_return;
}

Task<> fail(std::atomic<int>& count) {
  count.fetch_add(1);
  throw std::runtime_error("inside");
  co_return;
}

BOOST_AUTO_TEST_SUITE(scope)

WEFT_TEST_EACH_WORKERS(awaits_every_descendant) {
  Threadpool pool(workers);
  const int seen = pool.run([]() -> Task<int> {
    std::atomic<int> count{0};
    co_await weft::sync_scope([&]() -> Task<> {
      weft::spawn_detached(grow(count, 9));
      co_return;
    });
    co_return count.load();
  });
  BOOST_TEST(seen == 1023);
}

WEFT_TEST_EACH_WORKERS(blocking_from_a_foreign_thread) {
  Threadpool pool(workers);
  std::atomic<int> count{0};
  pool.sync_scope([&] { pool.spawn_detached(grow(count, 9)); });
  BOOST_TEST(count.load() == 1023);
}

WEFT_TEST_EACH_WORKERS(blocking_with_detached_handles) {
  Threadpool pool(workers);
  std::atomic<int> count{0};
  pool.sync_scope([&] {
    for (int i = 0; i < 100; ++i) {
      pool.spawn([&count] { count.fetch_add(1); }).detach();
    }
  });
  BOOST_TEST(count.load() == 100);
}

WEFT_TEST_EACH_WORKERS(blocking_inside_a_task) {
  Threadpool pool(workers);
  const int seen = pool.run([&]() -> Task<int> {
    std::atomic<int> count{0};
    pool.sync_scope([&] { weft::spawn_detached(grow(count, 7)); });
    co_return count.load();
  });
  BOOST_TEST(seen == 255);
}

WEFT_TEST_EACH_WORKERS(empty_body) {
  Threadpool pool(workers);
  bool blocking_ran = false;
  pool.sync_scope([&] { blocking_ran = true; });
  BOOST_TEST(blocking_ran);
  const bool awaited_ran = pool.run([]() -> Task<bool> {
    bool ran = false;
    co_await weft::sync_scope([&]() -> Task<> {
      ran = true;
      co_return;
    });
    co_return ran;
  });
  BOOST_TEST(awaited_ran);
}

WEFT_TEST_EACH_WORKERS(nested) {
  Threadpool pool(workers);
  const bool good = pool.run([]() -> Task<bool> {
    std::atomic<int> outer{0};
    bool all = true;
    co_await weft::sync_scope([&]() -> Task<> {
      weft::spawn_detached(grow(outer, 6));
      for (int i = 0; i < 10; ++i) {
        std::atomic<int> middle{0};
        co_await weft::sync_scope([&]() -> Task<> {
          std::atomic<int> inner{0};
          weft::spawn_detached(grow(middle, 3));
          co_await weft::sync_scope([&]() -> Task<> {
            weft::spawn_detached(grow(inner, 4));
            co_return;
          });
          all = all && inner.load() == 31;
        });
        all = all && middle.load() == 15;
      }
    });
    co_return all && outer.load() == 127;
  });
  BOOST_TEST(good);
}

// A task spawned inside opens a scope of its own: its children belong to both.
WEFT_TEST_EACH_WORKERS(scope_of_a_spawned_task) {
  Threadpool pool(workers);
  const int seen = pool.run([]() -> Task<int> {
    std::atomic<int> count{0};
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < 20; ++i) {
        weft::spawn_detached([](std::atomic<int>& c) -> Task<> {
          std::atomic<int> mine{0};
          co_await weft::sync_scope([&]() -> Task<> {
            weft::spawn_detached(grow(mine, 4));
            weft::spawn_detached(grow(c, 1));
            co_return;
          });
          c.fetch_add(mine.load());
        }, std::ref(count));
      }
      co_return;
    });
    co_return count.load();
  });
  BOOST_TEST(seen == 20 * (31 + 3));
}

// The body's own exception arrives only after its children are done.
WEFT_TEST_EACH_WORKERS(exception_of_the_body) {
  Threadpool pool(workers);
  const int seen = pool.run([]() -> Task<int> {
    std::atomic<int> count{0};
    int at_catch = -1;
    try {
      co_await weft::sync_scope([&]() -> Task<> {
        weft::spawn_detached(grow(count, 8));
        throw std::runtime_error("body");
        co_return;
      });
    } catch (const std::runtime_error&) {
      at_catch = count.load();
    }
    co_return at_catch;
  });
  BOOST_TEST(seen == 511);
}

WEFT_TEST_EACH_WORKERS(exception_of_a_blocking_body) {
  Threadpool pool(workers);
  std::atomic<int> count{0};
  BOOST_CHECK_THROW(pool.sync_scope([&] {
    pool.spawn_detached(grow(count, 8));
    throw std::runtime_error("body");
  }),
                    std::runtime_error);
  BOOST_TEST(count.load() == 511);
}

WEFT_TEST_EACH_WORKERS(exception_of_an_awaited_child) {
  Threadpool pool(workers);
  const int seen = pool.run([]() -> Task<int> {
    std::atomic<int> count{0};
    int at_catch = -1;
    try {
      co_await weft::sync_scope([&]() -> Task<> {
        Flowvar<> child = weft::spawn(fail(count));
        weft::spawn_detached(grow(count, 8));
        co_await std::move(child);
      });
    } catch (const std::runtime_error&) {
      at_catch = count.load();
    }
    co_return at_catch;
  });
  BOOST_TEST(seen == 512);
}

WEFT_TEST_EACH_WORKERS(handle_moved_out_of_the_scope) {
  Threadpool pool(workers);
  const int value = pool.run([]() -> Task<int> {
    Flowvar<int> kept;
    co_await weft::sync_scope([&]() -> Task<> {
      kept = weft::spawn([] { return 17; });
      co_return;
    });
    if (!kept.is_ready()) {
      co_return -1;  // the scope has waited, so the result must be there
    }
    co_return co_await std::move(kept);
  });
  BOOST_TEST(value == 17);
}

// Tasks of a task's scope on another pool, what those spawn there and, back again, here.
Task<> bounce(Threadpool& here, Threadpool& there, std::atomic<int>& ran, int depth) {
  if (depth > 0) {
    there.spawn_detached(bounce(there, here, ran, depth - 1));
    weft::spawn_detached(bounce(here, there, ran, depth - 1));
  }
  ran.fetch_add(1);
  co_return;
}

WEFT_TEST_EACH_WORKERS(spawned_on_another_pool) {
  Threadpool pool(workers);
  Threadpool other(workers);
  std::atomic<int> ran{0};
  for (int round = 1; round <= 20; ++round) {
    const int seen = pool.run([&]() -> Task<int> {
      auto body = [&]() -> Task<> {
        other.spawn_detached(bounce(other, pool, ran, 4));
        co_return;
      };
      co_await weft::sync_scope(body);
      co_return ran.load();
    });
    BOOST_TEST(seen == 31 * (2 * round - 1));
    pool.run([&] {  // the blocking form, on a worker of the other pool
      other.sync_scope([&] { other.spawn_detached(bounce(other, pool, ran, 4)); });
    });
    BOOST_TEST(ran.load() == 62 * round);
  }
}

// The other pool ends within the scope.
WEFT_TEST_EACH_WORKERS(pool_inside_a_scope) {
  Threadpool pool(workers);
  std::atomic<int> ran{0};
  for (int round = 0; round < 20; ++round) {
    pool.run([&]() -> Task<> {
      auto body = [&]() -> Task<> {
        Threadpool inner(2);
        for (int i = 0; i < 10; ++i) inner.spawn_detached([&ran] { ran.fetch_add(1); });
        co_await weft::spawn([&ran] { ran.fetch_add(1); });
      };
      co_await weft::sync_scope(body);
      BOOST_TEST(ran.load() % 11 == 0);
    });
  }
  BOOST_TEST(ran.load() == 220);
}

// What ran before the scope is not its business, and what comes after is not either.
BOOST_AUTO_TEST_CASE(earlier_tasks_are_not_waited_for) {
  std::atomic<bool> release{false};
  std::atomic<bool> started{false};
  Threadpool pool(3);  // goes first: its first task looks at `release` once more
  pool.spawn_detached([&] {
    started.store(true);
    while (!release.load()) {
      std::this_thread::yield();
    }
  });
  while (!started.load()) {
    std::this_thread::yield();
  }
  std::atomic<int> count{0};
  pool.sync_scope([&] { pool.spawn_detached(grow(count, 5)); });  // hangs if it waits for the first task
  BOOST_TEST(count.load() == 63);
  release.store(true);
}

WEFT_TEST_EACH_WORKERS(from_many_foreign_threads) {
  Threadpool pool(workers);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          std::atomic<int> count{0};
          pool.sync_scope([&] { pool.spawn_detached(grow(count, 4)); });
          good.fetch_add(count.load() == 31 ? 1 : 0);
        }
      });
    }
  }
  BOOST_TEST(good.load() == 160);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
