// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A local's destructor throws after co_return, the coroutine catches that and goes on: its first
// result must not count, whether it ends nested in its awaiter, or parks, or returns another value.
// The same for a result whose constructor throws when it is half made.

#include <weft/weft.hpp>

#include <chrono>
#include <string>
#include <utility>

#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using namespace std::chrono_literals;

namespace {

const std::string kFirst(100, 'a');
const std::string kSecond(100, 'b');

struct Throws {
  ~Throws() noexcept(false) { throw 1; }
};

Task<std::string> changes_its_mind(bool parks) {
  try {
    const Throws at_the_end;
    co_return kFirst;
  } catch (int) {
  }
  if (parks) (void)co_await weft::io::sleep_for(1ms);
  co_return kSecond;
}

struct HalfMade {
  explicit HalfMade(bool fails) : words{-1, -1} {
    if (fails) throw 2;
  }
  long words[2];
};

Task<HalfMade> tries_again(bool parks) {
  try {
    co_return true;
  } catch (int) {
  }
  if (parks) (void)co_await weft::io::sleep_for(1ms);
  co_return false;
}

WEFT_TEST_EACH_WORKERS(result_taken_back) {
  Threadpool pool(workers);
  for (const bool parks : {false, true}) {
    const std::string called = pool.run([parks]() -> Task<std::string> {
      std::string result = co_await changes_its_mind(parks);
      co_return result;
    });
    const std::string spawned = pool.run([parks]() -> Task<std::string> {
      Flowvar<std::string> child = weft::spawn(changes_its_mind(parks));
      std::string result = co_await std::move(child);
      co_return result;
    });
    const HalfMade made = pool.run([parks]() -> Task<HalfMade> {
      const HalfMade by_call = co_await tries_again(parks);
      Flowvar<HalfMade> child = weft::spawn(tries_again(parks));
      co_return by_call.words[0] == -1 ? co_await std::move(child) : by_call;
    });
    BOOST_TEST(made.words[1] == -1);
    BOOST_TEST(called == kSecond);
    BOOST_TEST(spawned == kSecond);
  }
}

}  // namespace
