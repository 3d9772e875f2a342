// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A local's destructor throws after co_return, the coroutine catches that and goes on: its first
// result must not count, whether it ends nested in its awaiter, or parks, or returns another value.

#include <weft/weft.hpp>

#include <string>
#include <utility>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Signal;

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
  if (parks) {
    Signal begun;
    Flowvar<> other = weft::spawn([&begun] { begun.raise(); });
    begun.wait();
    co_await std::move(other);
  }
  co_return kSecond;
}

WEFT_TEST_EACH_WORKERS(result_taken_back) {
  Threadpool pool(workers);
  for (const bool parks : {false, true}) {
    if (parks && workers == 1) continue;  // nobody would take the child
    const std::string called = pool.run([parks]() -> Task<std::string> {
      std::string result = co_await changes_its_mind(parks);
      co_return result;
    });
    const std::string spawned = pool.run([parks]() -> Task<std::string> {
      Flowvar<std::string> child = weft::spawn(changes_its_mind(parks));
      std::string result = co_await std::move(child);
      co_return result;
    });
    BOOST_TEST(called == kSecond);
    BOOST_TEST(spawned == kSecond);
  }
}

}  // namespace
