// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The state word: the end of a task against its one waiter, who parks a frame, parks a thread, or
// detaches. The result is seen, the waiter is woken, and the frame is freed once by the right one.
#include "model.hpp"

#include "weft/detail/state_word.hpp"

namespace weft::detail {

// Stands for a coroutine frame: only its memory matters here.
struct TaskNode {
  StateWord state;
  Plain<int> result{0};
  Plain<int> touched{0};  // by whoever owned it, before it was detached
};

namespace model {
namespace {

enum WayToWait { kParkFrame, kParkThread, kDetach, kPoll, kWays };

struct FinishAgainst : rl::test_suite<FinishAgainst, 2> {
  TaskNode* task = nullptr;    // freed by whoever has to: Relacy counts
  TaskNode* waiter = nullptr;  // the frame that awaits it
  Parker parker;
  WayToWait way = kPoll;
  Plain<int> resumed{0};

  void before() {
    task = new TaskNode;
    waiter = new TaskNode;
    way = static_cast<WayToWait>(rl::rand(kWays));
    resumed = 0;
  }

  // The rest of the awaiting frame, on whatever thread.
  void resume() {
    MODEL_CHECK(waiter->result == 7);  // what the frame had in itself when it parked
    MODEL_CHECK(task->result == 42);
    delete task;
    resumed = resumed + 1;
  }

  void finish() {
    task->result = 42;
    const StateWord::Waiter found = task->state.finish();
    if (found.detached()) {
      MODEL_CHECK(task->touched == 1);
      delete task;
    } else if (found.is_thread()) {
      found.thread()->unpark();
    } else if (!found.none()) {
      MODEL_CHECK(found.frame() == waiter);
      resume();
    }
  }

  void await() {
    switch (way) {
      case kParkFrame:
        waiter->result = 7;
        if (!task->state.park(waiter)) resume();
        break;
      case kParkThread:
        if (task->state.park(&parker)) {
          while (!task->state.is_done()) parker.park();
        }
        MODEL_CHECK(task->result == 42);
        delete task;
        break;
      case kDetach:
        task->touched = 1;
        if (!task->state.detach()) {
          MODEL_CHECK(task->result == 42);
          delete task;
        }
        break;
      default:
        if (task->state.is_done()) {
          MODEL_CHECK(task->result == 42);
          delete task;
          break;
        }
        task->touched = 1;
        if (!task->state.detach()) delete task;
    }
  }

  void thread(unsigned index) { index == 0 ? finish() : await(); }

  void after() {
    MODEL_CHECK(resumed == (way == kParkFrame ? 1 : 0));
    delete waiter;
  }
};

}  // namespace
}  // namespace model
}  // namespace weft::detail

int main() {
  using namespace weft::detail::model;
  return run<FinishAgainst>(500'000, 3) ? 0 : 1;
}
