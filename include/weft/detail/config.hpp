// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Compiler requirements and the few macros that the rest of weft uses.

#if defined(__clang__) && __clang_major__ < 17
#error "weft needs clang 17 or newer: older ones miscompile coroutines"
#elif !defined(__clang__) && defined(__GNUC__) && __GNUC__ < 12
#error "weft needs GCC 12 or newer"
#endif

/// Marks what the (possibly shared) library exports.
#define WEFT_API __attribute__((visibility("default")))

/// Keeps slow paths out of the callers' instruction stream.
#define WEFT_COLD __attribute__((noinline, cold))

/// Of a slow path: its caller need not save what it has in registers. Not of what the library exports, as
/// that may come from another compiler.
#if defined(__clang__) && __has_attribute(preserve_most)
#define WEFT_PRESERVE_MOST __attribute__((preserve_most))
#else
#define WEFT_PRESERVE_MOST
#endif

/// For rare paths that are not rare enough to be laid out as cold.
#define WEFT_NOINLINE __attribute__((noinline))

/// For what every spawn and await runs through: compilers weigh the cold branches in it, too.
#define WEFT_INLINE __attribute__((always_inline)) inline

namespace weft::detail {

/// Distance that keeps two hot variables of different threads apart. Two 64-byte lines, because
/// the adjacent-line prefetcher of x86 pulls them in pairs.
inline constexpr unsigned long kCacheLine = 128;

}  // namespace weft::detail
