// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// When nested work makes room for I/O. `docs/design/scheduler.md`.

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::detail {

/// What is awaited runs nested, and the loop does not see its I/O before all of that has ended. So where a pool uses
/// I/O a worker asks here each time it is about to nest something, and makes a break about once in a millisecond: as
/// if there were no stack left, whatever is nested parks at its next co_await, until the loop comes to it.
/// Belongs to a worker.
class Breaks {
 public:
  using Clock = std::chrono::steady_clock;

  /// The worker is in its loop.
  void in_loop() noexcept {
    now_ = timed_ = false;
    every_ = 1;
    left_ = 2;  // who nests once need not know the time
  }
  /// To be called once per frame that is to be nested. \return true: `look`
  bool due() noexcept { return now_ || --left_ <= 0; }

  /// \param wanted there is something for the loop to do
  /// \return true, from then on until `in_loop`: do not nest
  bool look(Clock::time_point at, bool wanted) noexcept {
    if (now_) return true;
    if (!std::exchange(timed_, true)) {
      began_ = at;
    } else {  // where what is nested is short the clock would take as long: then less often
      every_ = at - looked_at_ < kBetween / 4 ? std::min(2 * every_, kMost) : std::max(every_ / 4, 1);
    }
    left_ = every_;
    looked_at_ = at;
    return now_ = wanted && at - began_ >= kBetween;
  }

 private:
  static constexpr int kMost = 32;
  static constexpr Clock::duration kBetween = std::chrono::milliseconds(1);

  bool now_ = false;
  bool timed_ = false;  // since when we nest is known
  int every_ = 1;
  int left_ = 2;
  Clock::time_point began_, looked_at_;
};

}  // namespace weft::detail
