// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How buffers come back to a shelf. `docs/design/shelf.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"

namespace weft::io::detail {

using weft::detail::Atomic;
using weft::detail::Plain;
using weft::detail::relaxed;
using weft::detail::seq_cst;

/// What a shelf knows of one of its buffers.
struct BufferRecord {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  Plain<std::uint32_t> next = kNone;  ///< below it in a stack
  Plain<bool> with_kernel = false;
};

/// A stack of buffers on their way back, which the hub's thread only ever takes whole; and a flag by
/// which it asks to be told of the next one.
class BufferReturns {
 public:
  /// Any thread. \return true: one is waited for, and the hub must be told
  bool push(BufferRecord* records, std::uint32_t buffer) noexcept {
    std::uint32_t head = newest_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      records[buffer].next = head;
      // Seq_cst: hands the buffer over (take_all acquires), and stands before the look at `wanted_`.
    } while (!newest_.compare_exchange_weak(head, buffer, seq_cst, relaxed));
    // Seq_cst: see want(). An exchange, so that one of many tells.
    return wanted_.load(seq_cst) && wanted_.exchange(false, seq_cst);
  }

  /// \return the newest, the others below it; or kNone
  std::uint32_t take_all() noexcept {
    // Relaxed: who needs to be sure calls want().
    if (newest_.load(relaxed) == BufferRecord::kNone) return BufferRecord::kNone;
    return newest_.exchange(BufferRecord::kNone, seq_cst);  // seq_cst: pairs with push; see want()
  }

  /// Asks to be told. \return true: there are some already, and maybe nobody will tell
  bool want() noexcept {
    // Seq_cst: either whoever brings a buffer sees that it is wanted, or we see the buffer.
    wanted_.store(true, seq_cst);
    return newest_.load(seq_cst) != BufferRecord::kNone;
  }

 private:
  Atomic<std::uint32_t> newest_{BufferRecord::kNone};
  Atomic<bool> wanted_{false};
};

}  // namespace weft::io::detail
