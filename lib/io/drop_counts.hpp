// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How those who drop, the hubs, and those who link frames come to know of each other. `docs/design/io.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"

namespace weft::io::detail {

using weft::detail::acq_rel;
using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::relaxed;
using weft::detail::release;

/// Two counts, of drops under way and of hubs, beside the lists of both, which have a lock. A link, by which
/// a dropped task may wait for an operation, is made without any, as no more than a load may be spent on it
/// while nothing is dropped.
///
/// Whatever the order, a hub looks after both the drop and the link were made: who comes last of drop, link and
/// hub tells the hub, or is it.
class DropCounts {
 public:
  /// After the drop is in its list. The hubs are told next, if any.
  void begin_drop() noexcept {
    drops_.fetch_add(1, release);  // pairs with any_drops(), for PoolState::io_closing
    weft::detail::heavy_fence();   // pairs with linked()
  }
  /// Relaxed: a look in vain does no harm.
  void end_drop() noexcept { drops_.fetch_sub(1, relaxed); }

  /// Acquire: pairs with begin_drop(). A hub asks after it has started an operation, or has counted itself.
  bool any_drops() const noexcept { return drops_.load(acquire) != 0; }

  /// After a link was made. \param full_fences there is no heavy fence in this process
  /// \return true: the hubs are to be told, if any
  bool linked(bool full_fences) const noexcept {
    if (full_fences) weft::detail::full_fence();
    weft::detail::light_fence();  // pairs with begin_drop(): either it sees the link, or we see the drop
    return any_drops();
  }

  /// A read-modify-write, acq_rel: a hub that counts itself later sees the link that the caller has made.
  bool any_hubs() noexcept { return hubs_.fetch_add(0, acq_rel) != 0; }

  /// After the hub is in its list, and before it asks for drops.
  void begin_hub() noexcept { hubs_.fetch_add(1, acq_rel); }  // pairs with any_hubs()
  /// Relaxed: nothing is in flight any more that could be looked for.
  void end_hub() noexcept { hubs_.fetch_sub(1, relaxed); }

 private:
  Atomic<std::uint32_t> drops_{0};
  Atomic<std::uint32_t> hubs_{0};
};

}  // namespace weft::io::detail
