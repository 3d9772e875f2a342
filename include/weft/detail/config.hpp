// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Compiler requirements, the few macros that the rest of weft uses, and what processors differ in.

#include <cstdint>

#if defined(__clang__) && __clang_major__ < 17
#error "weft needs clang 17 or newer: older ones miscompile coroutines"
#elif !defined(__clang__) && defined(__GNUC__) && __GNUC__ < 12
#error "weft needs GCC 12 or newer"
#endif

/// Marks what the (possibly shared) library exports.
#define WEFT_API __attribute__((visibility("default")))

/// Keeps slow paths out of the callers' instruction stream.
#define WEFT_COLD __attribute__((noinline, cold))

/// Of a slow path: its caller need not save what it has in registers. Not of what throws, since an
/// exception brings back only what all functions preserve; nor of what the library exports, as that
/// may come from another compiler. Hidden, since a lazily bound call goes through the dynamic linker,
/// which does not preserve them (LLVM issue 105588); and of another name than what GCC makes of it.
#if defined(__clang__) && __has_attribute(preserve_most)
#define WEFT_PRESERVE_MOST \
  __attribute__((preserve_most, visibility("hidden"), abi_tag("preserve_most")))
#else
#define WEFT_PRESERVE_MOST
#endif

/// For rare paths that are not rare enough to be laid out as cold.
#define WEFT_NOINLINE __attribute__((noinline))

/// Of a class that is one pointer: clang hands it over in a register, not in memory, which GCC does not
/// do, and clang 17 and 18 not without faults (LLVM issue 60112). The tag is part of the names of
/// functions that take or return one, so that objects which hand them to each other by different
/// rules do not link, instead of crashing. WEFT_IN_REGISTER_TAG: where the return type is deduced.
#if defined(__clang__) && __clang_major__ >= 19
#define WEFT_IN_REGISTER_TAG __attribute__((abi_tag("in_register")))
#define WEFT_IN_REGISTER __attribute__((trivial_abi, abi_tag("in_register")))
#else
#define WEFT_IN_REGISTER_TAG
#define WEFT_IN_REGISTER
#endif

/// For what every spawn and await runs through: compilers weigh the cold branches in it, too.
#define WEFT_INLINE __attribute__((always_inline)) inline

namespace weft::detail {

/// True if the stack has not come down to `limit`. `__builtin_frame_address` would have every caller
/// keep a frame pointer.
WEFT_INLINE bool stack_is_above(const std::uintptr_t& limit) noexcept {
#if defined(__x86_64__) && defined(__LP64__)
  bool above;
  asm("cmp {%1, %%rsp|rsp, %1}" : "=@cca"(above) : "m"(limit));
  return above;
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) > limit;
#endif
}

/// Distance that keeps two hot variables of different threads apart. Two 64-byte lines, because
/// the adjacent-line prefetcher of x86 pulls them in pairs.
inline constexpr unsigned long kCacheLine = 128;

}  // namespace weft::detail
