// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// A lock on a futex, for slow paths that end in a system call anyway.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"

namespace weft::detail {

/// The three-state mutex of Drepper, "Futexes are tricky" (2011): free, held, held and awaited.
class Mutex {
 public:
  Mutex() { word_.store(kFree, relaxed); }

  void lock() noexcept {
    std::uint32_t word = kFree;
    // Acquire, here and below: pairs with unlock.
    if (word_.compare_exchange_strong(word, kHeld, acquire, relaxed)) return;
    while (word_.exchange(kAwaited, acquire) != kFree) futex_wait(word_, kAwaited);
  }

  void unlock() noexcept {
    if (word_.exchange(kFree, release) == kAwaited) futex_wake(word_, 1);
  }

  /// From its construction to its destruction the lock is held.
  class Guard {
   public:
    explicit Guard(Mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
    ~Guard() { mutex_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Mutex& mutex_;
  };

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kAwaited = 2;

  Atomic<std::uint32_t> word_;
};

}  // namespace weft::detail
