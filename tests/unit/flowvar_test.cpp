// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Every member of Flowvar<T>, and what dropping one does.

#include <weft/weft.hpp>

#include <atomic>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::test::Signal;

namespace {
Task<int> give(int v) { co_return v; }
Task<int> give_after(Signal& gate, int v) {
  gate.wait();
  co_return v;
}
Task<> raise(Signal& signal) {
  signal.raise();
  co_return;
}
Task<int> boom() {
  throw std::runtime_error("boom");
  co_return 0;
}

BOOST_AUTO_TEST_SUITE(flowvar)

static_assert(!std::is_copy_constructible_v<Flowvar<int>> && !std::is_copy_assignable_v<Flowvar<int>>);
static_assert(std::is_nothrow_move_constructible_v<Flowvar<int>>);
static_assert(std::is_nothrow_default_constructible_v<Flowvar<std::vector<int>>>);
static_assert(std::is_same_v<Flowvar<>, Flowvar<void>>);
static_assert(noexcept(std::declval<const Flowvar<int>&>().is_spawned()));
static_assert(noexcept(std::declval<const Flowvar<int>&>().is_ready()));

BOOST_AUTO_TEST_CASE(default_constructed_is_not_spawned) {
  Flowvar<int> empty;
  BOOST_TEST(!empty.is_spawned());
  Flowvar<int> moved = std::move(empty);
  BOOST_TEST(!moved.is_spawned());
}

WEFT_TEST_EACH_WORKERS(move_hands_the_task_over) {
  weft::Threadpool pool(workers);
  Flowvar<int> first = pool.spawn(give(1));
  BOOST_TEST(first.is_spawned());
  Flowvar<int> second = std::move(first);
  BOOST_TEST(!first.is_spawned());  // NOLINT(bugprone-use-after-move): the state after a move is promised
  BOOST_TEST(second.is_spawned());
  first = std::move(second);
  BOOST_TEST(pool.sync(std::move(first)) == 1);
  BOOST_TEST(!first.is_spawned());
}

WEFT_TEST_EACH_WORKERS(move_assignment_joins_the_old_task) {
  weft::Threadpool pool(workers);
  Signal ran;
  Flowvar<> fv = pool.spawn(raise(ran));
  Signal other;
  fv = pool.spawn(raise(other));
  BOOST_TEST(ran.raised());
  pool.sync(std::move(fv));
  BOOST_TEST(other.raised());
}

WEFT_TEST_EACH_WORKERS(is_ready_turns_true_and_stays) {
  weft::Threadpool pool({.num_threads = workers, .caller_participates = false});
  Signal gate;
  Flowvar<int> fv = pool.spawn(give_after(gate, 11));
  BOOST_TEST(!fv.is_ready());
  gate.raise();
  weft::test::wait_until([&] { return fv.is_ready(); });
  BOOST_TEST(fv.is_ready());
  BOOST_TEST(pool.sync(std::move(fv)) == 11);
}

WEFT_TEST_EACH_WORKERS(detached_task_is_waited_for_by_sync_all) {
  weft::Threadpool pool(workers);
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    pool.spawn([&ran] { ran.fetch_add(1); }).detach();
  }
  pool.sync_all();
  BOOST_TEST(ran.load() == 100);
}

WEFT_TEST_EACH_WORKERS(detach_of_a_finished_task) {
  weft::Threadpool pool(workers);
  Signal ran;
  Flowvar<> fv = pool.spawn(raise(ran));
  weft::test::wait_until([&] { return fv.is_ready(); });  // needs no waiter: spawned work proceeds
  std::move(fv).detach();
  BOOST_TEST(!fv.is_spawned());
  pool.sync_all();
}

WEFT_TEST_EACH_WORKERS(dropped_in_a_task_joins) {
  weft::Threadpool pool(workers);
  const bool joined = pool.run([]() -> Task<bool> {
    bool all = true;
    for (int i = 0; i < 50; ++i) {
      bool ran = false;
      {
        Flowvar<> fv = weft::spawn([&ran] { ran = true; });
      }
      all = all && ran;
    }
    co_return all;
  });
  BOOST_TEST(joined);
}

WEFT_TEST_EACH_WORKERS(dropped_on_a_foreign_thread_joins) {
  weft::Threadpool pool(workers);
  Signal ran;
  {
    Flowvar<> fv = pool.spawn(raise(ran));
  }
  BOOST_TEST(ran.raised());
}

BOOST_AUTO_TEST_CASE(dropped_while_running_elsewhere_joins) {
  weft::Threadpool pool(2);
  const int seen = pool.run([]() -> Task<int> {
    Signal started;
    Signal go;
    std::atomic<int> done{0};
    {
      Flowvar<> fv = weft::spawn([&] {
        started.raise();
        go.wait();
        done.store(1);
      });
      started.wait();  // the other worker has it
      go.raise();
    }
    co_return done.load();
  });
  BOOST_TEST(seen == 1);
}

WEFT_TEST_EACH_WORKERS(drop_discards_an_exception) {
  weft::Threadpool pool(workers);
  {
    Flowvar<int> outside = pool.spawn(boom());
  }
  const int after = pool.run([]() -> Task<int> {
    {
      Flowvar<int> inside = weft::spawn(boom());
    }
    co_return 1;
  });
  BOOST_TEST(after == 1);
}

WEFT_TEST_EACH_WORKERS(left_by_an_exception_joins_first) {
  weft::Threadpool pool(workers);
  bool child_ran = false;
  BOOST_CHECK_THROW(pool.run([&]() -> Task<> {
    bool local = false;  // would dangle if the frame went first
    Flowvar<> fv = weft::spawn([&local, &child_ran] {
      local = true;
      child_ran = local;
    });
    throw std::logic_error("leaves early");
    co_return;
  }),
                    std::logic_error);
  BOOST_TEST(child_ran);
}

WEFT_TEST_EACH_WORKERS(many_in_a_vector_any_order) {
  weft::Threadpool pool(workers);
  const int sum = pool.run([]() -> Task<int> {
    std::vector<Flowvar<int>> all;
    for (int i = 0; i < 1000; ++i) {
      all.push_back(weft::spawn(give(i)));
    }
    int total = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::size_t at = (i * 7) % all.size();  // 7 and 1000 are coprime: each one once
      total += co_await std::move(all[at]);
    }
    co_return total;
  });
  BOOST_TEST(sum == 499'500);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
