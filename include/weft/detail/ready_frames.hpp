// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Frames that I/O made ready, where no other worker could take them.

#include "weft/detail/atomic.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

/// First in, first out, by `link`. Of a pool's only worker, and whoever serves that: one thread at a time, and
/// each has what the one before did. No outside thread ever is that, so nothing is handed back. It needs no
/// compare-exchange per frame, as a queue with thieves does.
class ReadyFrames {
 public:
  void append(TaskNode* frame) noexcept {
    frame->link = nullptr;
    if (empty()) {
      first_.store(frame, relaxed);  // relaxed: published with the worker, as the frame is
    } else {
      last_->link = frame;
    }
    last_ = frame;
  }

  /// \return the oldest, or nullptr
  TaskNode* take() noexcept {
    TaskNode* const oldest = first_.load(relaxed);               // relaxed: only we write it
    if (oldest != nullptr) first_.store(oldest->link, relaxed);  // relaxed: as in append()
    return oldest;
  }

  /// For any thread. Relaxed: a guess for others, who must not look at the frames.
  bool empty() const noexcept { return first_.load(relaxed) == nullptr; }

 private:
  Atomic<TaskNode*> first_{nullptr};
  TaskNode* last_ = nullptr;  // if there is a first
};

}  // namespace weft::detail
