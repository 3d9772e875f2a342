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
    // Release: pairs with park's acquire. An exchange, so that exactly one of several calls
    // sees kParked and makes the system call.
    if (word_.exchange(kToken, release) == kParked) futex_wake(word_, 1);
  }

 private:
  static constexpr std::uint32_t kParked = 0;
  static constexpr std::uint32_t kEmpty = 1;
  static constexpr std::uint32_t kToken = 2;

  Atomic<std::uint32_t> word_;

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
