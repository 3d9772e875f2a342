// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The seam between the scheduler and its memory model.
///
/// Every protocol of weft is written with `Atomic<T>` and the five order names below. A normal
/// build maps them to `std::atomic`. A build with `WEFT_MODEL` (see `tests/model`) maps them to the
/// Relacy race detector instead, so that the model checker runs the very headers that ship.

#ifdef WEFT_MODEL
#include "relacy_atomic.hpp"  // tests/model/support
#else

#include <atomic>

namespace weft::detail {

template <class T>
using Atomic = std::atomic<T>;

inline constexpr std::memory_order relaxed = std::memory_order_relaxed;
inline constexpr std::memory_order acquire = std::memory_order_acquire;
inline constexpr std::memory_order release = std::memory_order_release;
inline constexpr std::memory_order acq_rel = std::memory_order_acq_rel;
inline constexpr std::memory_order seq_cst = std::memory_order_seq_cst;

/// The light side of heavy_fence() in futex.hpp: keeps the compiler from moving accesses across.
inline void light_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// One step of a short wait for another thread.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Plain data whose accesses the model checker should watch for races.
template <class T>
using Plain = T;

}  // namespace weft::detail

#endif
