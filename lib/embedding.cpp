// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The thread that has a loop of its own. `docs/design/blocking.md`.
#include <stdexcept>

#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"

namespace weft::detail {

Worker* Worker::run_ready(std::chrono::steady_clock::time_point deadline, bool& ran) {
  for (;;) {
    look_at_io();
    if (caller_gives_way()) return nullptr;
    TaskNode* node = next_in_line();
    if (node == nullptr) {
      leave_scope();
      pool.idle.begin_search();
      node = try_take();
      found_work();  // or not: either way the search is over
    }
    if (node == nullptr) return this;
    ran = true;
    if (Worker* const w = run(node); w != this) return w;
    // What is left in the queue others take, see leave_caller.
    if (std::chrono::steady_clock::now() >= deadline && next == nullptr) return this;
  }
}

bool PoolState::run_once(std::chrono::steady_clock::time_point deadline) {
  if (current_worker != nullptr) {
    throw std::logic_error("weft::Threadpool::run_once from a task");
  }
  bell.descriptor();
  for (;;) {
    bool any = bell.answer();
    if (Worker* const caller = try_enter_caller()) {
      if (Worker* const w = caller->run_ready(deadline, any)) {
        leave_caller(w);
      } else {
        end_guest();
      }
    }
    if (any || std::chrono::steady_clock::now() >= deadline) return any;
    bell.wait_until(deadline);
  }
}

}  // namespace weft::detail
