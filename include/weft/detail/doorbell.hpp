// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Tells a thread that waits in a loop of its own, on a descriptor, that it should look.
/// `docs/design/doorbell.md`.

#include <chrono>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/futex.hpp"

namespace weft::detail {

#ifndef WEFT_MODEL
/// An eventfd that is readable from the start. \throws std::system_error
int open_event();
void close_event(int event) noexcept;
/// Takes all of its signals that there are.
void drain_event(int event) noexcept;
#endif

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
  ~Doorbell() {
    const int event = event_.load(relaxed);  // relaxed: nobody else is left
    if (event >= 0) close_event(event);
  }

  /// The descriptor: readable from the start, and whenever it was rung since the last answer.
  /// \throws std::system_error
  int descriptor() {
    int event = event_.load(acquire);  // acquire: pairs with the exchange below
    if (event >= 0) return event;
    const int made = open_event();  // readable at once, as `rung_` says
    // Seq_cst: see ring().
    if (!event_.compare_exchange_strong(event, made, seq_cst, acquire)) {
      close_event(made);
      return event;
    }
    heavy_fence();  // for what is not seq_cst on the other side: the end of a task
    return made;
  }

  void ring() noexcept {
    light_fence();  // pairs with the heavy one in descriptor()
    // Seq_cst, as in descriptor(): either we see it, or its owner sees what we did before.
    if (event_.load(seq_cst) >= 0) [[unlikely]] write();
  }

  /// Once there is a descriptor. \return true if it was rung since the last answer, or at the first one
  bool answer() noexcept {
    drain_event(event_.load(relaxed));      // relaxed: written once, before
    return rung_.exchange(false, acq_rel);  // acq_rel, here and in write(): see the class
  }

  /// The same. Waits until it is rung.
  void wait_until(std::chrono::steady_clock::time_point deadline) noexcept;

 private:
  WEFT_COLD void write() noexcept {
    if (rung_.exchange(true, acq_rel)) return;
    event_signal(event_.load(relaxed));  // relaxed: as in answer()
  }

  Atomic<int> event_{-1};
  // Rung at first, as the descriptor is readable at first: nobody has told what happened before.
  Atomic<bool> rung_{true};
};

}  // namespace weft::detail
