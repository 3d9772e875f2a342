// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// When nested work makes room for I/O. `docs/design/scheduler.md`.

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::detail {

/// What is awaited runs nested, and the loop does not see its I/O before all of that has ended. So a worker with
/// I/O in use asks here each time it is about to nest something, and makes a break about once in a millisecond: as
/// if there were no stack left, whatever is nested parks at its next co_await, until the loop comes to it.
/// Belongs to a worker.
class Breaks {
 public:
  using Clock = std::chrono::steady_clock;

  /// \return true, until `in_loop`: do not nest
  bool time_for_one() noexcept {
    if (!now_ && --left_ <= 0) look(Clock::now());
    return now_;
  }
  bool now() const noexcept { return now_; }

  /// The worker is in its loop.
  void in_loop() noexcept {
    now_ = timed_ = false;
    every_ = 1;
    left_ = 2;  // who nests once need not know the time
  }

 private:
  static constexpr int kMost = 128;
  static constexpr Clock::duration kBetween = std::chrono::milliseconds(1);

  // Where what is nested is short, the clock would take as long: then less often.
  void look(Clock::time_point at) noexcept {
    if (!std::exchange(timed_, true)) began_ = looked_at_ = at;
    every_ = at - looked_at_ < kBetween / 4 ? std::min(2 * every_, kMost) : std::max(every_ / 4, 1);
    left_ = every_;
    looked_at_ = at;
    now_ = at - began_ >= kBetween;
  }

  bool now_ = false;
  bool timed_ = false;  // since when we are away from the loop is known
  int every_ = 1;
  int left_ = 2;
  Clock::time_point began_, looked_at_;
};

}  // namespace weft::detail
