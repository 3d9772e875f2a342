// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What the operating system has to do: sleep while a word has a value, a fence that the other
/// threads pay nothing for, and the CPU for somebody else.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"

namespace weft::detail {

#ifndef WEFT_MODEL

/// Sleeps while `word == expected`; returns at a wake-up, at a signal, or at once if they differ.
/// Callers loop. See futex(2), FUTEX_WAIT_PRIVATE.
WEFT_API void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;

/// As futex_wait, for at most `milliseconds`. \return false if the time ran out.
WEFT_API bool futex_wait_for(Atomic<std::uint32_t>& word, std::uint32_t expected,
                             std::int64_t milliseconds) noexcept;

/// Wakes at most `count` threads that sleep on `word`. The address may be stale: a wake-up on
/// memory that now is something else is a spurious wake-up there, and all our waits loop.
WEFT_API void futex_wake(Atomic<std::uint32_t>& word, int count) noexcept;

/// Adds one to an eventfd.
WEFT_API void event_signal(int event) noexcept;

/// True if membarrier(2) is to be had, so that the often used side of the pair may be a mere
/// compiler barrier. Registers the process at the first call.
WEFT_API bool asymmetric_fences() noexcept;

/// A sequentially consistent fence that race detectors understand.
WEFT_API void full_fence() noexcept;

/// The rare side of an asymmetric fence pair (P1202): every other thread of the process passes a
/// full fence between this call's start and its end.
WEFT_API void heavy_fence() noexcept;

/// Lets whoever else waits for this CPU have it for a while. See sched_yield(2).
WEFT_API void yield_cpu() noexcept;

#endif

}  // namespace weft::detail
