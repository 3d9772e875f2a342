// SPDX-License-Identifier: MIT OR Apache-2.0
//
// WEFT_WATCHDOG: a pool in which nothing moves says what its workers do and what parked frames await.

#include <weft/weft.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <string>
#include <utility>

#include "../support/handshake.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Signal;

namespace {

// While it lives, stderr goes to a file.
class CapturedStderr {
 public:
  CapturedStderr() : old_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    BOOST_REQUIRE(old_ >= 0 && file_ != nullptr);
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~CapturedStderr() {
    ::dup2(old_, STDERR_FILENO);
    ::close(old_);
    std::fclose(file_);
  }
  std::string text() const {
    std::string all(1 << 16, '\0');
    const ssize_t size = ::pread(::fileno(file_), all.data(), all.size(), 0);
    all.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return all;
  }
  // Of two reports the first is whole.
  std::string first_report() const {
    const std::string title = "weft watchdog:";
    std::size_t second = 0;
    weft::test::wait_until([&] {
      const std::string all = text();
      const std::size_t first = all.find(title);
      second = first == all.npos ? all.npos : all.find(title, first + 1);
      return second != all.npos;
    });
    return text().substr(0, second);
  }

 private:
  const int old_;
  std::FILE* const file_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

struct EverySecond {
  EverySecond() { ::setenv("WEFT_WATCHDOG", "1", 1); }
};

BOOST_FIXTURE_TEST_SUITE(watchdog, EverySecond)

BOOST_AUTO_TEST_CASE(parked_frame_and_queue) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  Signal go, both;
  const CapturedStderr captured;
  Flowvar<int> parent = pool.spawn([&]() -> Task<int> {
    Flowvar<int> child = weft::spawn([&] {
      both.raise();
      go.wait();
      return 3;
    });
    both.wait();  // the other worker has it
    const int value = co_await std::move(child);
    co_return value;
  });
  both.wait();
  Flowvar<> blocker = pool.spawn([&]() -> Task<> {
    Flowvar<> queued = weft::spawn([] {});
    go.wait();
    co_await std::move(queued);
  });
  const std::string report = captured.first_report();
  go.raise();
  BOOST_TEST(pool.sync(std::move(parent)) == 3);
  pool.sync(std::move(blocker));
  BOOST_TEST_CONTEXT(report) {
    BOOST_TEST(contains(report, "nothing moved for 1 s"));
    BOOST_TEST(contains(report, "worker 0: running"));
    BOOST_TEST(contains(report, "worker 1: running"));
    BOOST_TEST(contains(report, "running, 1 queued"));
    BOOST_TEST(contains(report, "parked frame 0x"));
    BOOST_TEST(contains(report, " awaits 0x"));
    BOOST_TEST(contains(report, ", stolen by worker "));
  }
}

// Nothing in the root hangs, but a task of an outside scope does.
BOOST_AUTO_TEST_CASE(outside_scope) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  Signal go;
  const CapturedStderr captured;
  std::string report;
  pool.sync_scope([&] {
    pool.spawn_detached([&go] { go.wait(); });
    report = captured.first_report();
    go.raise();
  });
  BOOST_TEST(contains(report, "worker 0: running"));
}

BOOST_AUTO_TEST_CASE(a_pool_at_rest_says_nothing) {
  Threadpool idle(2);
  Threadpool busy({.num_threads = 1, .caller_participates = false});
  Signal go;
  const CapturedStderr captured;
  Flowvar<> blocker = busy.spawn([&go] { go.wait(); });
  const std::string report = captured.first_report();
  go.raise();
  busy.sync(std::move(blocker));
  char name[32];
  std::snprintf(name, sizeof name, "pool %p", static_cast<void*>(&idle));
  BOOST_TEST(!contains(report, name));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
