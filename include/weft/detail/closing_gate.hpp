// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Refuses spawns from outside a pool that is shutting down.

#include "weft/detail/atomic.hpp"
#include "weft/detail/scope.hpp"

namespace weft::detail {

/// A store-buffering pair: a spawner counts itself and then looks at the gate, the shutdown closes
/// the gate and then looks at the counts. All four are sequentially consistent (the last one in
/// Scope::quiet), so at least one of them sees the other: no task is accepted after the shutdown's
/// sync, and none that was accepted is missed by it.
class ClosingGate {
 public:
  /// Counts a task of an outside thread in `scope`. \return false: refused, and not counted.
  bool try_enter(Scope& scope) noexcept {
    if (closed_.load(relaxed)) return false;  // relaxed: only keeps what is refused out of the metrics
    scope.outsider_spawned();
    if (!closed_.load(seq_cst)) return true;
    scope.outsider_ended();
    return false;
  }

  /// To be followed by waiting until the scopes are quiet.
  void close() noexcept { closed_.store(true, seq_cst); }

 private:
  Atomic<bool> closed_{false};
};

}  // namespace weft::detail
