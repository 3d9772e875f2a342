// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A sync_scope that was itself spawned destroyed its body's frame in the outer scope if the body had
// parked: what destructors of the body's parameters spawned was not waited for.

#include <weft/weft.hpp>

#include <atomic>
#include <coroutine>
#include <thread>
#include <utility>

#include "../support/workers.hpp"

using weft::Task;
using weft::Threadpool;

namespace {

struct SpawnsAtItsEnd {
  std::atomic<int>* ran;
  explicit SpawnsAtItsEnd(std::atomic<int>& to) noexcept : ran(&to) {}
  SpawnsAtItsEnd(SpawnsAtItsEnd&& other) noexcept : ran(std::exchange(other.ran, nullptr)) {}
  ~SpawnsAtItsEnd() {
    if (ran == nullptr) return;
    weft::spawn_detached([to = ran] {
      std::this_thread::yield();
      to->fetch_add(1);
    });
  }
};

struct OnNewThread {
  std::thread& thread;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) const { thread = std::thread(frame); }
  void await_resume() const noexcept {}
};

Task<> body(SpawnsAtItsEnd, std::thread& thread) { co_await OnNewThread{thread}; }

WEFT_TEST_EACH_WORKERS(scope_of_a_body_that_parked) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  std::atomic<int> ran{0};
  for (int round = 1; round <= 100; ++round) {
    std::thread thread;
    auto scope_body = [&] { return body(SpawnsAtItsEnd(ran), thread); };
    pool.run(weft::sync_scope(scope_body));
    BOOST_TEST(ran.load() == round);
    thread.join();
  }
}

}  // namespace
