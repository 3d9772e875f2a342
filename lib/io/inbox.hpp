// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What others want to tell a hub. `docs/design/io.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"

namespace weft::io::detail {

using weft::detail::acq_rel;
using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::Plain;
using weft::detail::relaxed;
using weft::detail::release;

/// A queue of nodes that their senders own, each in it at most once: whoever posts one that is queued
/// already adds to its `news`. A stack that only its reader takes, whole (Treiber 1986, so without the
/// ABA problem), and behind it what was taken and not read, oldest first.
///
/// A node ends when nobody can post it any more and its reader has taken it out.
///
/// `Node` has `next_in_inbox`, `news` and `kQueued`. It is a template parameter for the sake of the model
/// only.
template <class Node>
class Inbox {
 public:
  // ---- any thread

  /// Of a node that nobody else posts, for the first time. It may be gone after that.
  /// \return true if nothing has been pushed since the reader took all
  bool push(Node& node) noexcept {
    Node* head = newest_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      node.next_in_inbox = head;
    } while (!newest_.compare_exchange_weak(head, &node, release, relaxed));  // pairs with take()
    return head == nullptr;
  }
  /// \return as above
  bool post(Node& node, std::uint32_t news) noexcept {
    // Acq_rel: the bits say what is to be done; in the total order with the reader's taking them.
    const std::uint32_t before = node.news.fetch_or(news | Node::kQueued, acq_rel);
    return (before & Node::kQueued) == 0 && push(node);
  }
  /// Relaxed: a guess, or ordered by what the caller does before.
  bool has_new() const noexcept { return newest_.load(relaxed) != nullptr; }

  // ---- its reader's thread

  bool empty() const noexcept { return oldest_ == nullptr && !has_new(); }

  /// Takes what is new.
  void take() noexcept {
    if (!has_new()) return;
    Node* newest_first = newest_.exchange(nullptr, acquire);  // pairs with push
    Node* const last = newest_first;
    Node* oldest_first = nullptr;
    while (newest_first != nullptr) {
      Node* const node = newest_first;
      newest_first = node->next_in_inbox;
      node->next_in_inbox = oldest_first;
      oldest_first = node;
    }
    if (oldest_ == nullptr) {
      oldest_ = oldest_first;
    } else {
      Node* const last_before = last_;
      last_before->next_in_inbox = oldest_first;
    }
    last_ = last;
  }

  /// The oldest of those that were taken, without its news: it is still queued for who posts it.
  Node* next() noexcept {
    return take_out([](const Node&) noexcept { return true; });
  }

  /// The oldest of those that were taken and `wanted` says yes to.
  template <class Wanted>
  Node* take_out(Wanted wanted) noexcept {
    Node* before = nullptr;
    Node* node = oldest_;
    while (node != nullptr && !wanted(*node)) {
      before = node;
      node = node->next_in_inbox;
    }
    if (node == nullptr) return nullptr;
    Node* const after = node->next_in_inbox;
    if (before == nullptr) {
      oldest_ = after;
    } else {
      before->next_in_inbox = after;
    }
    if (after == nullptr) last_ = before;
    return node;
  }

  /// Of a node that nobody can post any more: it is not queued after that.
  /// \return its news
  std::uint32_t clear(Node& node) noexcept {
    // Acquire: pairs with post().
    if ((node.news.load(acquire) & Node::kQueued) == 0) return 0;
    take();
    take_out([&node](const Node& one) noexcept { return &one == &node; });
    return node.news.exchange(0, acquire);  // acquire: as above
  }

 private:
  Atomic<Node*> newest_{nullptr};
  // The reader's:
  Plain<Node*> oldest_ = nullptr;
  Plain<Node*> last_ = nullptr;  // unless there is none
};

/// Takes what a node's senders had to say. From here on it may be posted again.
template <class Node>
std::uint32_t take_news(Node& node) noexcept {
  return node.news.exchange(0, acq_rel);  // see Inbox::post
}

}  // namespace weft::io::detail
