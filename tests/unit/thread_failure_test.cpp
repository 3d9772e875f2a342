// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A thread that cannot be started: std::system_error, and nothing is left behind. The executable's
// own pthread_create stands in front of the real one and fails when told to.

#include <stdlib.h>

#include <weft/detail/pool_state.hpp>
#include <weft/weft.hpp>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <system_error>

#include "../support/handshake.hpp"
#include "../support/process.hpp"

namespace {
std::atomic<int> starts_left{1'000'000};
using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                              void* argument) noexcept {
  if (starts_left.fetch_sub(1) <= 0) {
    return EAGAIN;
  }
  static const auto real = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  return real(thread, attributes, body, argument);
}

BOOST_AUTO_TEST_CASE(failure_at_each_thread) {
  ::unsetenv("WEFT_WATCHDOG");  // its thread would count
  const auto before = weft::test::thread_count();
  for (const bool io_thread : {false, true}) {
    const weft::Threadpool::Options options{
        .num_threads = 8, .caller_participates = false, .io_thread = io_thread};
    const int threads = 8 + (io_thread ? 1 : 0);
    for (int possible = 0; possible < threads; ++possible) {
      starts_left.store(possible);
      BOOST_CHECK_THROW(weft::Threadpool{options}, std::system_error);
      BOOST_TEST(weft::test::thread_count() == before);  // those that had started are joined
    }
    starts_left.store(threads);
    weft::Threadpool pool(options);
    BOOST_TEST(pool.run([] { return 1; }) == 1);
  }
}

// The first task blocks and is relieved by the last thread that is to be had. The second one, which
// waits for the first, blocks on that thread, and nobody relieves it: it has to let the first go on.
BOOST_AUTO_TEST_CASE(blocking_without_another_thread) {
  ::unsetenv("WEFT_WATCHDOG");
  starts_left.store(3);
  weft::Threadpool pool({.num_threads = 1, .caller_participates = false});
  weft::Threadpool other({.num_threads = 1, .caller_participates = false});
  weft::test::Signal blocking;
  weft::test::Signal go;
  weft::Flowvar<int> first = pool.spawn([&] {
    weft::Flowvar<int> elsewhere = other.spawn([&go] {
      go.wait();
      return 1;
    });
    blocking.raise();
    return weft::sync(std::move(elsewhere));
  });
  const int second = pool.run([&] {
    blocking.wait();
    go.raise();
    weft::test::wait_until([] { return weft::detail::current_worker->pool.claims.any(); });
    return 1 + weft::sync(std::move(first));
  });
  BOOST_TEST(second == 2);
}
