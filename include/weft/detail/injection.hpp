// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The queue through which threads outside a pool hand it frames.

#include "weft/detail/atomic.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

/// A stack of nodes by their `link`: any thread pushes, a worker takes them all. Nothing is ever
/// popped one by one, so there is no ABA.
class alignas(kCacheLine) InjectionQueue {
 public:
  void push(TaskNode* node) noexcept {
    TaskNode* head = head_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      node->link = head;
      // Seq_cst: publishes the frame, and stands before the caller's look at who sleeps.
    } while (!head_.compare_exchange_weak(head, node, seq_cst, relaxed));
  }

  /// \return all, oldest first, by `link`.
  TaskNode* take_all() noexcept {
    if (empty()) return nullptr;
    TaskNode* newest_first = head_.exchange(nullptr, acquire);  // acquire: pairs with push
    TaskNode* oldest_first = nullptr;
    while (newest_first != nullptr) {
      TaskNode* node = newest_first;
      newest_first = node->link;
      node->link = oldest_first;
      oldest_first = node;
    }
    return oldest_first;
  }

  /// Seq_cst: a worker looks after it announced that it sleeps or blocks.
  bool empty() const noexcept { return head_.load(seq_cst) == nullptr; }

 private:
  Atomic<TaskNode*> head_{nullptr};
};

}  // namespace weft::detail
