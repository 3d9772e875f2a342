// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How a shelf, or a registration, goes from hub to hub. `docs/design/shelf.md`.

#include "weft/detail/atomic.hpp"

namespace weft::io::detail {

using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::relaxed;
using weft::detail::release;

/// A hub's, whose thread has all plain members of what this is part of, or nobody's.
template <class Hub>
class Tenancy {
 public:
  /// Relaxed: only the hub's own thread asks, which has set and will reset it.
  bool is_of(const Hub& hub) const noexcept { return hub_.load(relaxed) == &hub; }
  /// \return true: it was nobody's, and is this hub's now
  bool begin(Hub& hub) noexcept {
    Hub* none = nullptr;
    // Acquire: pairs with end(), whose members we get.
    return hub_.compare_exchange_strong(none, &hub, acquire, relaxed);
  }
  void end() noexcept { hub_.store(nullptr, release); }  // release: hands over all that is the hub's

 private:
  Atomic<Hub*> hub_{nullptr};
};

}  // namespace weft::io::detail
