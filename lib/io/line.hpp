// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// A queue of operations, of links in themselves.

#include "weft/io/operation.hpp"

namespace weft::io::detail {

struct Line {
  Operation* first = nullptr;
  Operation* last = nullptr;

  bool empty() const noexcept { return first == nullptr; }

  void append(Operation& op) noexcept {
    op.queued_before = last;
    op.queued_after = nullptr;
    (last != nullptr ? last->queued_after : first) = &op;
    last = &op;
  }

  /// Precondition: it is in this line.
  void remove(Operation& op) noexcept {
    (op.queued_before != nullptr ? op.queued_before->queued_after : first) = op.queued_after;
    (op.queued_after != nullptr ? op.queued_after->queued_before : last) = op.queued_before;
  }
};

}  // namespace weft::io::detail
