// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The deadlines of one hub's operations.

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) by `deadline`, of links in the
/// operations themselves: no memory, and to remove any one costs O(log n), amortised.
class TimerHeap {
 public:
  bool empty() const noexcept { return root_ == nullptr; }
  /// The one that is due first. Precondition: not empty.
  Operation& first() const noexcept { return *root_; }

  void add(Operation& op) noexcept {
    op.heap_child = op.heap_sibling = op.heap_previous = nullptr;
    root_ = root_ == nullptr ? &op : meld(root_, &op);
  }

  /// Precondition: it is in the heap.
  void remove(Operation& op) noexcept {
    Operation* const rest = meld_all(op.heap_child);
    if (&op == root_) {
      root_ = rest;
    } else {
      Operation* const before = op.heap_previous;
      (before->heap_child == &op ? before->heap_child : before->heap_sibling) = op.heap_sibling;
      if (op.heap_sibling != nullptr) op.heap_sibling->heap_previous = before;
      if (rest != nullptr) root_ = meld(root_, rest);
    }
    op.heap_child = op.heap_sibling = op.heap_previous = nullptr;
  }

 private:
  // Both are roots without siblings.
  static Operation* meld(Operation* a, Operation* b) noexcept {
    if (b->deadline < a->deadline) std::swap(a, b);
    b->heap_previous = a;
    b->heap_sibling = a->heap_child;
    if (a->heap_child != nullptr) a->heap_child->heap_previous = b;
    a->heap_child = b;
    return a;
  }

  // In pairs from the left, then all from the right; in loops, for a million siblings.
  static Operation* meld_all(Operation* first) noexcept {
    Operation* pairs = nullptr;  // newest first, by heap_sibling
    while (first != nullptr) {
      Operation* const a = first;
      Operation* const b = a->heap_sibling;
      first = b == nullptr ? nullptr : b->heap_sibling;
      a->heap_sibling = nullptr;
      Operation* both = a;
      if (b != nullptr) {
        b->heap_sibling = nullptr;
        both = meld(a, b);
      }
      both->heap_sibling = pairs;
      pairs = both;
    }
    Operation* all = nullptr;
    while (pairs != nullptr) {
      Operation* const next = pairs->heap_sibling;
      pairs->heap_sibling = nullptr;
      all = all == nullptr ? pairs : meld(all, pairs);
      pairs = next;
    }
    if (all != nullptr) all->heap_previous = nullptr;
    return all;
  }

  Operation* root_ = nullptr;
};

}  // namespace weft::io::detail
