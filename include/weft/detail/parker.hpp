// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Puts one thread to sleep until another one hands it a token. `docs/design/parker.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"

namespace weft::detail {

/// A binary token and the thread that waits for it (the parker of Rust's std, on a futex).
///
/// `unpark()` happens before the return of the `park()` that takes its token. Tokens do not add
/// up. A parker may get a token that was meant for an earlier wait of its thread, so every caller
/// checks its condition in a loop. Parkers are immortal (see `parker_of_this_thread`): whoever
/// read a pointer to one may call `unpark` at any later time.
class alignas(64) Parker {
 public:
  Parker() { word_.store(kEmpty, relaxed); }

  /// Sleeps until there is a token, and takes it. Only the owning thread calls this.
  void park() noexcept {
    // Acquire: pairs with unpark's release, whose caller wrote what we are about to look at.
    // kEmpty - 1 == kParked, kToken - 1 == kEmpty: one subtraction takes a token or announces us.
    if (word_.fetch_sub(1, acquire) == kToken) return;
    for (;;) {
      futex_wait(word_, kParked);
      std::uint32_t token = kToken;
      // Acquire: as above. Relaxed on failure: a spurious wake-up brings nothing to read.
      if (word_.compare_exchange_strong(token, kEmpty, acquire, relaxed)) return;
    }
  }

  /// Leaves a token and wakes the thread if it sleeps. Any thread, any number of times.
  void unpark() noexcept {
    // Release: pairs with park's acquire, and with those of the sleep in a driver. An exchange, so
    // that exactly one of several calls sees that the thread sleeps and makes the system call.
    const std::uint32_t before = word_.exchange(kToken, acq_rel);
    if (before == kParked) {
      futex_wake(word_, 1);
    } else if (before == kInDriver) {
      event_signal(event_.load(relaxed));  // relaxed: acquired with kInDriver
    }
  }

  /// Sleeping in the kernel's queue of completions instead, where an eventfd wakes the thread:
  ///
  ///     if (begin_driver_sleep(event)) { sleep until the event is signalled, or for less;
  ///                                      signals += end_driver_sleep(); }
  ///
  /// \return false: there was a token, now taken; do not sleep
  bool begin_driver_sleep(int event) noexcept {
    event_.store(event, relaxed);  // relaxed: published by the exchange below
    std::uint32_t word = kEmpty;
    // Release: pairs with unpark's acquire, for the event. Acquire on failure: as in park.
    if (word_.compare_exchange_strong(word, kInDriver, acq_rel, acquire)) return true;
    word_.exchange(kEmpty, acquire);  // an exchange: the token of a second unpark counts as taken too
    return false;
  }

  /// \return how many signals (0 or 1) the event has got from this sleep, or will get with the
  /// next step of whoever woke us: the owner closes the event only after it has seen them all.
  int end_driver_sleep() noexcept {
    return word_.exchange(kEmpty, acquire) == kToken ? 1 : 0;  // acquire: as in park
  }

 private:
  static constexpr std::uint32_t kParked = 0;
  static constexpr std::uint32_t kEmpty = 1;
  static constexpr std::uint32_t kToken = 2;
  static constexpr std::uint32_t kInDriver = 3;

  Atomic<std::uint32_t> word_;
  Atomic<int> event_{-1};

 public:
  /// Link of the free list in which the parkers of ended threads wait for a new owner.
  Parker* next_free = nullptr;
};

#ifndef WEFT_MODEL
/// This thread's parker: made at first use, given to another thread after this one has ended,
/// never freed, so that a finisher may call `unpark` although the wait is long over.
WEFT_API Parker& parker_of_this_thread();
#endif

}  // namespace weft::detail
