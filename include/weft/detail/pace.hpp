// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How often a worker whose queue never gets empty looks at what would else wait for ever.

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::detail {

/// A look at every 61st task that the worker starts from the loop, as Go and Tokio do; but where tasks are long
/// about one in a millisecond, as Tokio does, and where one task takes longer than that, at every second.
/// Belongs to a worker.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  /// To be called once per task. \return true: a look is due
  bool due() noexcept { return --left_ <= 0; }

  void look(Clock::time_point now) noexcept {
    const Clock::duration took = now - looked_at_;
    looked_at_ = now;
    every_ = took > 2 * kLooks ? std::max(2, every_ / 2) : std::min(kMostTasks, 2 * every_);
    left_ = every_;
    arrival_ = true;
    if (now - oldest_at_ < kOldest) return;
    oldest_at_ = now;
    oldest_ = true;
  }
  /// After one arrival there are more.
  void more_arrived() noexcept { left_ = std::min(left_, kMostWhileMore); }

  /// \return true, once per look: an arrival is next, if there is one
  bool take_arrival() noexcept { return std::exchange(arrival_, false); }
  /// \return true, more rarely: the oldest task in the queue is
  bool take_oldest() noexcept { return std::exchange(oldest_, false); }

 private:
  static constexpr int kMostTasks = 61;
  static constexpr int kMostWhileMore = 8;
  static constexpr Clock::duration kLooks = std::chrono::milliseconds(1);
  static constexpr Clock::duration kOldest = std::chrono::milliseconds(10);  // a time slice, as in Go

  int left_ = kMostTasks;
  int every_ = kMostTasks;
  bool arrival_ = false;
  bool oldest_ = false;
  Clock::time_point looked_at_ = Clock::now();
  Clock::time_point oldest_at_ = looked_at_;
};

}  // namespace weft::detail
