// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Task<T> as a value: which results it carries, and what happens to its frame.

#include <weft/weft.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "../support/workers.hpp"

namespace {

using weft::Task;

struct alignas(64) Wide {
  std::array<std::uint64_t, 8> words{};
  bool aligned = false;
  explicit Wide(std::uint64_t seed) : words{seed, seed + 1} {
    aligned = reinterpret_cast<std::uintptr_t>(this) % alignof(Wide) == 0;
  }
  Wide(const Wide& other) : words(other.words) {
    aligned = reinterpret_cast<std::uintptr_t>(this) % alignof(Wide) == 0;
  }
  Wide& operator=(const Wide&) = delete;
};

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  NoDefault() = delete;
  int value;
};

Task<> set(int& out) {
  out = 7;
  co_return;
}
Task<int&> refer(int& to) { co_return to; }
Task<std::unique_ptr<int>> make_unique_task(int v) { co_return std::make_unique<int>(v); }
Task<Wide> make_wide(std::uint64_t seed) { co_return Wide(seed); }
Task<NoDefault> make_no_default(int v) { co_return NoDefault(v); }
Task<int> fail(int v) {
  throw std::runtime_error("task " + std::to_string(v));
  co_return v;
}
Task<int> count_down(std::shared_ptr<int> held) { co_return *held; }

// Each result once as a plain call and once as a spawned child.
template <class T, class Make>
Task<bool> both_ways(Make make, bool (*good)(T)) {
  const bool called = good(co_await make());
  weft::Flowvar<T> child = weft::spawn(make());
  const bool spawned = good(co_await std::move(child));
  co_return called && spawned;
}

BOOST_AUTO_TEST_SUITE(task)

static_assert(!std::is_copy_constructible_v<Task<int>> && !std::is_copy_assignable_v<Task<int>>);
static_assert(std::is_nothrow_move_constructible_v<Task<int>>);
static_assert(std::is_same_v<Task<>, Task<void>>);

WEFT_TEST_EACH_WORKERS(void_result) {
  weft::Threadpool pool(workers);
  int called = 0;
  int spawned = 0;
  pool.run([&]() -> Task<> {
    co_await set(called);
    weft::Flowvar<> child = weft::spawn(set(spawned));
    co_await std::move(child);
  });
  BOOST_TEST(called == 7);
  BOOST_TEST(spawned == 7);
}

WEFT_TEST_EACH_WORKERS(reference_result) {
  weft::Threadpool pool(workers);
  int target = 1;
  int& back = pool.run(refer(target));
  BOOST_TEST(&back == &target);
  const bool same = pool.run([&]() -> Task<bool> {
    int& called = co_await refer(target);
    weft::Flowvar<int&> child = weft::spawn(refer(target));
    int& spawned = co_await std::move(child);
    co_return &called == &target && &spawned == &target;
  });
  BOOST_TEST(same);
}

WEFT_TEST_EACH_WORKERS(move_only_result) {
  weft::Threadpool pool(workers);
  BOOST_TEST(pool.run(both_ways<std::unique_ptr<int>>(
      [] { return make_unique_task(5); }, +[](std::unique_ptr<int> p) { return p && *p == 5; })));
  BOOST_TEST(*pool.run(make_unique_task(6)) == 6);
}

WEFT_TEST_EACH_WORKERS(over_aligned_result) {
  weft::Threadpool pool(workers);
  BOOST_TEST(pool.run(both_ways<Wide>([] { return make_wide(9); },
                                      +[](Wide w) { return w.aligned && w.words[1] == 10; })));
  const Wide wide = pool.run(make_wide(3));
  BOOST_TEST(wide.words[1] == 4U);
}

WEFT_TEST_EACH_WORKERS(over_aligned_local_in_a_frame) {
  weft::Threadpool pool(workers);
  const bool aligned = pool.run([]() -> Task<bool> {
    Wide local(1);
    weft::Flowvar<Wide> child = weft::spawn(make_wide(2));
    const Wide other = co_await std::move(child);
    co_return reinterpret_cast<std::uintptr_t>(&local) % alignof(Wide) == 0 && other.aligned;
  });
  BOOST_TEST(aligned);
}

WEFT_TEST_EACH_WORKERS(result_without_default_constructor) {
  weft::Threadpool pool(workers);
  BOOST_TEST(pool.run(both_ways<NoDefault>([] { return make_no_default(4); },
                                           +[](NoDefault n) { return n.value == 4; })));
}

WEFT_TEST_EACH_WORKERS(exception_through_run_call_and_spawn) {
  weft::Threadpool pool(workers);
  BOOST_CHECK_EXCEPTION(pool.run(fail(1)), std::runtime_error,
                        [](const std::runtime_error& e) { return e.what() == std::string("task 1"); });
  const std::string caught = pool.run([]() -> Task<std::string> {
    std::string text;
    try {
      (void)co_await fail(2);
    } catch (const std::runtime_error& e) {
      text += e.what();
    }
    weft::Flowvar<int> child = weft::spawn(fail(3));
    try {
      (void)co_await std::move(child);
    } catch (const std::runtime_error& e) {
      text += e.what();
    }
    co_return text;
  });
  BOOST_TEST(caught == "task 2task 3");
}

BOOST_AUTO_TEST_CASE(unstarted_task_frees_its_arguments) {
  auto held = std::make_shared<int>(3);
  {
    Task<int> never = count_down(held);
    BOOST_TEST(held.use_count() == 2);
    Task<int> moved = std::move(never);
    BOOST_TEST(held.use_count() == 2);
  }
  BOOST_TEST(held.use_count() == 1);
  {
    Task<int> first = count_down(held);
    Task<int> second = count_down(held);
    first = std::move(second);  // the overwritten one is freed at once
    BOOST_TEST(held.use_count() == 2);
  }
  BOOST_TEST(held.use_count() == 1);
}

WEFT_TEST_EACH_WORKERS(finished_task_frees_its_arguments) {
  auto held = std::make_shared<int>(3);
  weft::Threadpool pool(workers);
  BOOST_TEST(pool.run(count_down(held)) == 3);
  pool.sync_all();
  pool.shutdown();
  BOOST_TEST(held.use_count() == 1);
}

WEFT_TEST_EACH_WORKERS(stored_task_runs_later) {
  weft::Threadpool pool(workers);
  const int sum = pool.run([]() -> Task<int> {
    auto held = std::make_shared<int>(20);
    Task<int> a = count_down(held);
    Task<int> b = count_down(held);
    const int second = co_await std::move(b);
    const int first = co_await std::move(a);
    co_return first + second;
  });
  BOOST_TEST(sum == 40);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
