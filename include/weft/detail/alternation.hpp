// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How a worker divides its time between the frames that I/O made ready and the tasks in its queue.

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::detail {

/// Where both wait, they take turns, half and half by the clock: to either it does not matter how many of the
/// other there are, only how long they take. Frames go on until none is left, or their turn has lasted for
/// `kMost`; then tasks have as long as the frames had, and one of them at least. Belongs to a worker.
class Alternation {
 public:
  using Clock = std::chrono::steady_clock;
  /// Of the frames.
  static constexpr Clock::duration kMost = std::chrono::milliseconds(1);
  /// Of the tasks: the frames' turn may end with a system call, which should be worth it.
  static constexpr Clock::duration kLeast = std::chrono::microseconds(50);

  /// \return true: a frame is next
  bool frame_next(bool frames_wait, bool tasks_wait) noexcept {
    if (!tasks_wait) {  // nobody else wants the time, so it does not count
      timed_ = false;
      return frames_ = frames_wait;
    }
    const Clock::time_point now = Clock::now();
    if (!frames_) {
      if (!frames_wait || now < tasks_until_) return false;
      frames_ = true;
      timed_ = false;
    }
    if (!std::exchange(timed_, true)) since_ = now;
    if (!frames_wait || now - since_ >= kMost) {
      frames_ = false;
      // But not for as long as one frame may have computed, or a debugger had us stand still.
      tasks_until_ = now + std::clamp(now - since_, kLeast, 10 * kMost);
    }
    return frames_;
  }
  /// It is their turn, or was until none was left.
  bool frames() const noexcept { return frames_; }

 private:
  bool frames_ = false;
  bool timed_ = false;       // since when is known
  Clock::time_point since_;  // when their turn began
  Clock::time_point tasks_until_;
};

}  // namespace weft::detail
