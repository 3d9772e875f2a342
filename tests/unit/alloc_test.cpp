// SPDX-License-Identifier: MIT OR Apache-2.0
//
// One allocation per spawn, the frame, and that one recycled.

#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <new>
#include <utility>
#include <vector>

#include "../support/allocator.hpp"
#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;
using weft::test::allocator_calls;

namespace {

constexpr int kDepth = 16;
constexpr std::int64_t kTasks = 1596;  // spawns of one fib(16)

// The allocator calls of one fib, seen from inside, once everything has its size.
Task<std::int64_t> calls_of_one_fib() {
  const std::int64_t before = allocator_calls();
  (void)co_await fib(kDepth);
  co_return allocator_calls() - before;
}

// Moves a frame to the worker that awaits it in `fetch`.
class Ferry {
 public:
  struct To {
    std::atomic<void*>& quay;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) const { quay.store(frame.address()); }
    void await_resume() const noexcept {}
  };
  To over() { return {quay_}; }
  Task<> fetch() {
    void* frame = nullptr;
    weft::test::wait_until([&] { return (frame = quay_.exchange(nullptr)) != nullptr; });
    std::coroutine_handle<>::from_address(frame).resume();
    co_return;
  }

 private:
  std::atomic<void*> quay_{nullptr};
};

// Scopes that begin on one worker and end on the other, `rounds` times.
Task<std::int64_t> calls_of_ferried_scopes(Ferry& out, Ferry& back, int rounds) {
  const std::int64_t before = allocator_calls();
  for (int i = 0; i < rounds; ++i) {
    weft::spawn_detached(back.fetch());
    co_await weft::sync_scope([&out]() -> Task<> { co_await out.over(); });
    weft::spawn_detached(out.fetch());
    co_await back.over();
  }
  co_return allocator_calls() - before;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(allocation)

static_assert(sizeof(weft::detail::TaskNode) <= 48, "what a task adds to its frame");

BOOST_AUTO_TEST_CASE(counter_counts) {
  const std::int64_t before = allocator_calls();
  void* volatile some = ::operator new(40);  // a call: clang leaves out a `new` that nobody uses
  ::operator delete(some);
  BOOST_TEST(allocator_calls() > before);
}

BOOST_AUTO_TEST_CASE(none_in_steady_state_with_one_worker) {
  Threadpool pool(1);
  (void)pool.run(calls_of_one_fib());
  std::vector<std::int64_t> rounds;
  rounds.reserve(100);
  for (int i = 0; i < 100; ++i) {
    rounds.push_back(pool.run(calls_of_one_fib()));
  }
  BOOST_TEST(std::count(rounds.begin(), rounds.end(), 0) == 100);
}

BOOST_AUTO_TEST_CASE(none_for_scopes_that_end_on_another_worker) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  Ferry out;
  Ferry back;
  pool.spawn_detached(out.fetch());
  (void)pool.run(calls_of_ferried_scopes(out, back, 100));
  const std::int64_t calls = pool.run(calls_of_ferried_scopes(out, back, 1000));
  pool.spawn_detached([&out]() -> Task<> { co_await out.over(); });  // for the last fetch
  BOOST_TEST(calls <= 10);
}

// run() from outside recycles as well.
BOOST_AUTO_TEST_CASE(none_for_calls_from_outside) {
  Threadpool pool(1);
  for (int i = 0; i < 1000; ++i) {
    (void)pool.run([] { return 1; });
  }
  const std::int64_t before = allocator_calls();
  for (int i = 0; i < 1000; ++i) {
    (void)pool.run([] { return 1; });
  }
  BOOST_TEST(allocator_calls() - before == 0);
}

// With thieves about, a worker may still meet its own record of frames alive at once: rare, and not
// per task.
WEFT_TEST_EACH_WORKERS(next_to_none_with_thieves) {
  Threadpool pool(workers);
  for (int i = 0; i < 50; ++i) {
    (void)pool.run(fib(kDepth));
  }
  const std::int64_t before = allocator_calls();
  for (int i = 0; i < 100; ++i) {
    (void)pool.run(fib(kDepth));
  }
  const std::int64_t calls = allocator_calls() - before;
  BOOST_TEST_MESSAGE(workers << " workers: " << calls << " allocator calls in " << 100 * kTasks << " spawns");
  BOOST_TEST(calls <= 100 * kTasks / 100);
}

BOOST_AUTO_TEST_SUITE_END()
