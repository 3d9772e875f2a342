// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Keeps a pool until those who let it end have let go of it. `docs/design/shutdown.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"

namespace weft::detail {

/// Counts threads that are about to do something after which the pool may end, and that still touch
/// it after that. Whoever ends the pool sees that something first (it waits for its effect), and
/// so sees the visit, and then waits until all visits are over.
class Visits {
 public:
  /// One visit, from its construction to its destruction.
  class Visit {
   public:
    explicit Visit(Visits& visits) noexcept : visits_(visits) { visits_.enter(); }
    ~Visit() { visits_.leave(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Visits& visits_;
  };

  // Relaxed: published by the effect that lets the pool end.
  void enter() noexcept { word_.fetch_add(1, relaxed); }
  void leave() noexcept {
    // Release: pairs with await_end; the last touch of the pool. The wake-up needs no more than
    // the word's address, which may be something else by then (see futex_wake).
    if (word_.fetch_sub(1, release) == kEnds + 1) futex_wake(word_, 1);
  }

  /// Once, by the thread that ends the pool.
  void await_end() noexcept {
    word_.fetch_add(kEnds, relaxed);  // relaxed: asks for a wake-up, publishes nothing
    for (;;) {
      const std::uint32_t word = word_.load(acquire);  // acquire: pairs with ~Visit
      if (word == kEnds) return;
      futex_wait(word_, word);
    }
  }

 private:
  static constexpr std::uint32_t kEnds = 1u << 31;
  Atomic<std::uint32_t> word_{0};  // visits under way, and whether their end is awaited
};

}  // namespace weft::detail
