// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A foreign await_suspend gave the handle away and then blocked in a sync: the frame ended elsewhere, the
// pool stopped, and nobody was left to let the blocked thread go on.

#include <weft/weft.hpp>

#include <coroutine>
#include <utility>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Task;
using weft::Threadpool;

namespace {

struct ResumedElsewhere {
  Threadpool& other;
  weft::test::Signal& ended;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) const {
    weft::Flowvar<> task = other.spawn([frame, &done = ended] {
      frame.resume();
      done.wait();  // so that we block until the frame has ended
    });
    weft::sync(std::move(task));
  }
  void await_resume() const noexcept {}
};

Task<> parks(Threadpool& other, weft::test::Signal& ended) {
  co_await ResumedElsewhere{other, ended};
}

WEFT_TEST_EACH_WORKERS(await_suspend_that_blocks) {
  Threadpool other({.num_threads = 2, .caller_participates = false});
  for (int round = 0; round < 20; ++round) {
    weft::test::Signal ended;
    Threadpool pool({.num_threads = workers, .caller_participates = false});
    pool.run(parks(other, ended));  // not nested: a caller would go on only after await_suspend
    ended.raise();
  }
}

}  // namespace
