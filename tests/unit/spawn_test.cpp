// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What can be spawned: tasks and any callable, with any kind of argument.

#include <weft/weft.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;

namespace {

int twice(int v) { return 2 * v; }
Task<int> thrice(int v) { co_return 3 * v; }

struct Account {
  int balance = 10;
  int plus(int v) const { return balance + v; }
};

// Throws when it is copied, as an argument's copy may.
struct ThrowsOnCopy {
  ThrowsOnCopy() = default;
  ThrowsOnCopy(const ThrowsOnCopy&) { throw std::runtime_error("copied"); }
  ThrowsOnCopy(ThrowsOnCopy&&) = default;
};

BOOST_AUTO_TEST_SUITE(spawn)

WEFT_TEST_EACH_WORKERS(callables) {
  weft::Threadpool pool(workers);
  const int sum = pool.run([]() -> Task<int> {
    const Account account;
    Flowvar<int> function = weft::spawn(twice, 1);
    Flowvar<int> pointer = weft::spawn(&twice, 2);
    Flowvar<int> coroutine = weft::spawn(thrice, 3);
    Flowvar<int> lambda = weft::spawn([](int a, int b) { return a * b; }, 4, 5);
    Flowvar<int> member = weft::spawn(&Account::plus, &account, 6);
    Flowvar<int> erased = weft::spawn(std::function<int()>([] { return 7; }));
    int total = co_await std::move(erased);
    total += co_await std::move(member);
    total += co_await std::move(lambda);
    total += co_await std::move(coroutine);
    total += co_await std::move(pointer);
    total += co_await std::move(function);
    co_return total;
  });
  BOOST_TEST(sum == 7 + 16 + 20 + 9 + 4 + 2);
}

static_assert(std::is_same_v<decltype(weft::spawn(twice, 1)), Flowvar<int>>);
static_assert(std::is_same_v<decltype(weft::spawn(thrice, 1)), Flowvar<int>>);
static_assert(std::is_same_v<decltype(weft::spawn([] {})), Flowvar<void>>);

WEFT_TEST_EACH_WORKERS(move_only_callable_and_arguments) {
  weft::Threadpool pool(workers);
  auto callable = [held = std::make_unique<int>(3)](std::unique_ptr<int> more) { return *held + *more; };
  Flowvar<int> fv = pool.spawn(std::move(callable), std::make_unique<int>(4));
  BOOST_TEST(pool.sync(std::move(fv)) == 7);
}

WEFT_TEST_EACH_WORKERS(arguments_are_copied_into_the_frame) {
  weft::Threadpool pool(workers);
  Flowvar<std::size_t> fv;
  {
    const std::string text(1000, 'x');
    fv = pool.spawn([](const std::string& s) { return s.size(); }, text);
  }  // the caller's string is gone: only a copy can still be read
  BOOST_TEST(pool.sync(std::move(fv)) == 1000U);
}

WEFT_TEST_EACH_WORKERS(coroutine_may_take_arguments_by_reference) {
  weft::Threadpool pool(workers);
  Flowvar<std::size_t> fv;
  {
    const std::string text(1000, 'x');
    fv = pool.spawn([](const std::string& s) -> Task<std::size_t> { co_return s.size(); }, text);
  }
  BOOST_TEST(pool.sync(std::move(fv)) == 1000U);
}

WEFT_TEST_EACH_WORKERS(reference_wrapper_shares) {
  weft::Threadpool pool(workers);
  int value = 1;
  Flowvar<> fv = pool.spawn([](int& v) { v = 42; }, std::ref(value));
  pool.sync(std::move(fv));
  BOOST_TEST(value == 42);
}

WEFT_TEST_EACH_WORKERS(captures_live_as_long_as_a_coroutine_lambda) {
  weft::Threadpool pool(workers);
  const int sum = pool.run([]() -> Task<int> {
    Flowvar<int> fv;
    {
      auto held = std::make_shared<int>(5);
      fv = weft::spawn([held]() -> Task<int> {
        Flowvar<int> inner = weft::spawn(twice, *held);
        const int doubled = co_await std::move(inner);
        co_return doubled + *held;  // after a suspension the closure must still be there
      });
    }
    co_return co_await std::move(fv);
  });
  BOOST_TEST(sum == 15);
}

WEFT_TEST_EACH_WORKERS(exception_of_an_argument_copy_leaves_nothing_behind) {
  weft::Threadpool pool(workers);
  const ThrowsOnCopy bad;
  BOOST_CHECK_THROW((void)pool.spawn([](const ThrowsOnCopy&) {}, bad), std::runtime_error);
  pool.sync_all();  // would hang if the failed spawn were counted
}

WEFT_TEST_EACH_WORKERS(callable_that_throws) {
  weft::Threadpool pool(workers);
  Flowvar<int> fv = pool.spawn([]() -> int { throw std::out_of_range("callable"); });
  BOOST_CHECK_THROW(pool.sync(std::move(fv)), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(outside_any_pool_uses_the_global_one) {
  BOOST_TEST(weft::Threadpool::current() == nullptr);
  Flowvar<weft::Threadpool*> fv = weft::spawn([] { return weft::Threadpool::current(); });
  BOOST_TEST(weft::sync(std::move(fv)) == &weft::Threadpool::global());
}

WEFT_TEST_EACH_WORKERS(inside_a_pool_stays_there) {
  weft::Threadpool pool(workers);
  weft::Threadpool* seen = pool.run([]() -> Task<weft::Threadpool*> {
    Flowvar<weft::Threadpool*> fv = weft::spawn([] { return weft::Threadpool::current(); });
    co_return co_await std::move(fv);
  });
  BOOST_TEST(seen == &pool);
}

WEFT_TEST_EACH_WORKERS(detached_tasks_and_callables) {
  weft::Threadpool pool(workers);
  std::atomic<int> ran{0};
  auto coroutine = [](std::atomic<int>& count) -> Task<> {
    count.fetch_add(1);
    weft::spawn_detached([&count] { count.fetch_add(10); });
    co_return;
  };
  for (int i = 0; i < 50; ++i) {
    pool.spawn_detached(coroutine(ran));
    pool.spawn_detached([&ran] { ran.fetch_add(100); });
    pool.spawn_detached([](std::atomic<int>& count, int by) { count.fetch_add(by); }, std::ref(ran), 1000);
  }
  pool.sync_all();
  BOOST_TEST(ran.load() == 50 * 1111);
}

BOOST_AUTO_TEST_CASE(spawned_work_proceeds_though_nobody_waits) {
  weft::Threadpool pool(2);
  weft::test::Signal ran;
  pool.spawn_detached([&ran] { ran.raise(); });
  ran.wait();
  BOOST_TEST(ran.raised());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
