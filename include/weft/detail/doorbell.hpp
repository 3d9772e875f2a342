// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Tells a thread that waits in a loop of its own, on a descriptor, that it should look.

#include <chrono>

#include "weft/detail/atomic.hpp"

namespace weft::detail {

/// An eventfd, made when somebody wants it. Until then ringing it is one load.
///
/// Whoever rings has done something before, and whoever answers looks after that: both exchange
/// `rung_`, so the later one sees what the earlier one did. The one who rings first after an answer
/// writes; the one who answers reads before it exchanges, so that no write is taken for one that is
/// still to come.
class Doorbell {
 public:
  Doorbell() = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell();

  /// The descriptor: readable from the start, and whenever it was rung since the last answer.
  /// \throws std::system_error
  int descriptor();

  void ring() noexcept {
    // Seq_cst, as in descriptor(): either we see it, or its owner sees what we did before.
    if (event_.load(seq_cst) >= 0) [[unlikely]] write();
  }

  /// Once there is a descriptor. \return true if it was rung since the last answer, or at the first one
  bool answer() noexcept;

  /// The same. Waits until it is rung.
  void wait_until(std::chrono::steady_clock::time_point deadline) noexcept;

 private:
  void write() noexcept;

  Atomic<int> event_{-1};
  // Rung at first, as the descriptor is readable at first: nobody has told what happened before.
  Atomic<bool> rung_{true};
};

}  // namespace weft::detail
