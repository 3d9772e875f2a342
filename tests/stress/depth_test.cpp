// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Loops and recursions of ten million awaits, on threads that have 8 MiB of stack and no more.
// WEFT_TEST_DEPTH changes the depth. (Sanitizers and -O0 take several times the memory and time for
// each frame, so those builds go less deep by default; still far deeper than any stack would reach.)

#include <weft/weft.hpp>

#include <pthread.h>
#include <ucontext.h>

#include <thread>
#include <utility>
#include <vector>

#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;

namespace {

std::uint64_t depth() {
  return weft::test::env_or("WEFT_TEST_DEPTH", weft::test::kSanitized ? 200'000 : 10'000'000);
}

Task<std::uint64_t> one() { co_return 1U; }

Task<std::uint64_t> loop_of_calls(std::uint64_t n) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    sum += co_await one();
  }
  co_return sum;
}

Task<std::uint64_t> loop_of_spawns(std::uint64_t n) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    Flowvar<std::uint64_t> child = weft::spawn(one());
    sum += co_await std::move(child);
  }
  co_return sum;
}

Task<std::uint64_t> deep_calls(std::uint64_t n) {
  if (n == 0) {
    co_return 0U;
  }
  const std::uint64_t below = co_await deep_calls(n - 1);
  co_return below + 1;
}

Task<std::uint64_t> deep_spawns(std::uint64_t n) {
  if (n == 0) {
    co_return 0U;
  }
  Flowvar<std::uint64_t> child = weft::spawn(deep_spawns(n - 1));
  const std::uint64_t below = co_await std::move(child);
  co_return below + 1;
}

Task<std::uint64_t> deep_throw(std::uint64_t n) {
  if (n == 0) {
    throw n;
  }
  co_return co_await deep_throw(n - 1);
}

// Waiting callers take part in the work: they get exactly 8 MiB too, whatever ulimit -s says.
template <class Body>
void on_8_mib(Body body) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, std::size_t{8} << 20);
  ::pthread_setattr_default_np(&attributes);  // for the threads of pools made from here on
  ::pthread_attr_destroy(&attributes);
  std::thread(body).join();
}

void check(int workers, Task<std::uint64_t> (*body)(std::uint64_t), std::uint64_t n) {
  std::uint64_t result = 0;
  on_8_mib([&] {
    Threadpool pool(workers);
    result = pool.run(body(n));
  });
  BOOST_TEST(result == n);
}

BOOST_AUTO_TEST_SUITE(depth_of)

WEFT_TEST_EACH_WORKERS(loop_over_calls) { check(workers, loop_of_calls, depth()); }
WEFT_TEST_EACH_WORKERS(loop_over_spawns) { check(workers, loop_of_spawns, depth()); }
WEFT_TEST_EACH_WORKERS(recursion_of_calls) { check(workers, deep_calls, depth()); }
WEFT_TEST_EACH_WORKERS(recursion_of_spawns) { check(workers, deep_spawns, depth()); }

// An exception on its way up passes every frame; unwinding costs about a microsecond each.
WEFT_TEST_EACH_WORKERS(exception_from_far_below) {
  bool caught = false;
  on_8_mib([&] {
    Threadpool pool(workers);
    try {
      (void)pool.run(deep_throw(depth() / 20));
    } catch (std::uint64_t) {
      caught = true;
    }
  });
  BOOST_TEST(caught);
}

#if !WEFT_TEST_SANITIZED  // sanitizers would have to be told of every switch of stacks
// A waiting caller may be a fiber: its stack is small, and not the thread's.
BOOST_AUTO_TEST_CASE(recursion_on_a_fiber) {
  constexpr std::size_t kStack = std::size_t{256} << 10;
  static ucontext_t thread_context;
  static ucontext_t fiber_context;
  static std::uint64_t result;
  std::vector<char> stack(kStack);
  ::getcontext(&fiber_context);
  fiber_context.uc_stack.ss_sp = stack.data();
  fiber_context.uc_stack.ss_size = stack.size();
  fiber_context.uc_link = &thread_context;
  ::makecontext(&fiber_context, +[] { result = Threadpool(2).run(deep_calls(100'000)); }, 0);
  ::swapcontext(&thread_context, &fiber_context);
  BOOST_TEST(result == 100'000U);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
