// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The deadlines of one hub's operations.

#include <cstdint>
#include <utility>

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) by `deadline`, of links in the
/// operations themselves: no memory, and each call costs O(log n), amortised. What is added is melded at
/// once, as a binary counter adds (the auxiliary area of Stasko and Vitter 1987), not with the first
/// removal: that would meld ten thousand timers in a row, and delay those that are due meanwhile. Such a row
/// can still build up below one that stays while earlier ones come and go, an add and a removal at a time.
class TimerHeap {
 public:
  bool empty() const noexcept { return root_ == nullptr; }
  /// The one that is due first. Precondition: not empty.
  Operation& first() const noexcept { return *root_; }

  void add(Operation& op) noexcept {
    op.heap_child = op.heap_sibling = op.heap_previous = nullptr;
    root_ = root_ == nullptr ? &op : meld(root_, &op);
    if (root_ == &op) {
      num_added_ = 0;
    } else {
      // Of n children added, as many are left as n has ones in binary.
      for (std::uint64_t n = ++num_added_; n % 2 == 0; n /= 2) meld_first_children();
    }
  }

  /// Precondition: it is in the heap.
  void remove(Operation& op) noexcept {
    Operation* const rest = meld_all(op.heap_child);
    if (&op == root_) {
      root_ = rest;
      num_added_ = 0;
    } else {
      replace(op, rest);
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

  // Puts `tree`, which may be none, in the place of `op`, which is not the root.
  static void replace(Operation& op, Operation* tree) noexcept {
    Operation* const before = op.heap_previous;
    Operation* after = op.heap_sibling;
    if (tree != nullptr) {
      tree->heap_sibling = after;
      if (after != nullptr) after->heap_previous = tree;
      tree->heap_previous = before;
      after = tree;
    } else if (after != nullptr) {
      after->heap_previous = before;
    }
    (before->heap_child == &op ? before->heap_child : before->heap_sibling) = after;
  }

  void meld_first_children() noexcept {
    Operation* const a = root_->heap_child;
    Operation* const b = a->heap_sibling;
    if (b == nullptr) return;  // others have been removed since
    Operation* const after = b->heap_sibling;
    Operation* const both = meld(a, b);
    both->heap_sibling = after;
    if (after != nullptr) after->heap_previous = both;
    both->heap_previous = root_;
    root_->heap_child = both;
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
  std::uint64_t num_added_ = 0;  // to this root
};

}  // namespace weft::io::detail
