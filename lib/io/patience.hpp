// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Whether a thread with operations in flight looks on for a moment before it sleeps.

#include <algorithm>

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// Waking a CPU that sleeps takes 15 to 30 µs in a virtual machine, longer than many an answer. So where
/// something came soon last time, it pays to look on for as long as that may take. But only if it nearly
/// always comes then: a peer that needs our CPU has to wait for us to sleep. So each time that nothing came
/// we do not look for the next 16, 48, 112, ... 1,024 times; each time that it did is one less.
class Patience {
 public:
  static constexpr Nanoseconds kLook = 50'000;

  /// There is nothing to do. \return true: look on, from `begin` until `over`
  bool looks() noexcept {
    if (looking_ && not_for_ != 0) --not_for_;  // we did not sleep: something came
    looking_ = soon_ && skip_ == 0;
    if (skip_ != 0) --skip_;
    return looking_;
  }
  /// In either case.
  void begin(Nanoseconds at) noexcept { since_ = at; }
  bool over(Nanoseconds at) const noexcept { return at - since_ >= kLook; }

  void sleeps() noexcept {
    if (!looking_) return;
    looking_ = false;
    skip_ = not_for_ = std::min(2 * not_for_ + 16, 1'024u);
  }
  void woke(Nanoseconds at) noexcept { soon_ = at - since_ < 2 * kLook; }

 private:
  Nanoseconds since_ = 0;
  unsigned skip_ = 0;
  unsigned not_for_ = 0;
  bool soon_ = false;
  bool looking_ = false;
};

}  // namespace weft::io::detail
