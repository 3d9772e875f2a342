// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How often a worker whose queue never gets empty looks at what would else wait for ever.

#include <algorithm>
#include <chrono>

namespace weft::detail {

/// At every 61st task that it starts from the loop, as Go and Tokio do; but where tasks are long, about once
/// in a millisecond, and where a task is longer than that, after each (Tokio tunes its interval, too).
/// Belongs to a worker.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  /// To be called once per task. \return true: look, and say so
  bool due() noexcept { return --left_ <= 0; }

  /// \return true: the oldest task in the queue is to be started out of turn. By the clock and rarely, for
  /// each one that is lets another branch of the tree grow beside the one that is worked on.
  bool looked(Clock::time_point now) noexcept {
    const Clock::duration took = now - looked_at_;
    looked_at_ = now;
    every_ = took > 2 * kLooks ? std::max(1, every_ / 2) : std::min(kMostTasks, 2 * every_);
    left_ = every_;
    if (now - oldest_at_ < kOldest) return false;
    oldest_at_ = now;
    return true;
  }

 private:
  static constexpr int kMostTasks = 61;
  static constexpr Clock::duration kLooks = std::chrono::milliseconds(1);
  static constexpr Clock::duration kOldest = std::chrono::milliseconds(10);  // a time slice, as in Go

  int left_ = kMostTasks;
  int every_ = kMostTasks;
  Clock::time_point looked_at_ = Clock::now();
  Clock::time_point oldest_at_ = looked_at_;
};

}  // namespace weft::detail
