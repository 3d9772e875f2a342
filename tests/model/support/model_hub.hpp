// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The inbox of a hub, as much as the models of what posts to one need. The steps are those of Hub::post,
/// take_mail, read_mail and leave_inbox.

#include "model.hpp"

#include "weft/detail/parker.hpp"

namespace weft::detail::model {

struct MailNode {
  static constexpr std::uint32_t kQueued = 1;

  Plain<MailNode*> next{nullptr};
  Atomic<std::uint32_t> news{0};
};

class ModelHub {
 public:
  // ---- any thread

  void post(MailNode& node, std::uint32_t bits) {
    const bool queued =
        (node.news.fetch_or(bits | MailNode::kQueued, acq_rel) & MailNode::kQueued) != 0;
    if (!queued) {
      MailNode* head = inbox_.load(relaxed);
      do {
        node.next = head;
      } while (!inbox_.compare_exchange_weak(head, &node, release, relaxed));
    }
    parker_.unpark();
  }

  // ---- its thread

  void take_mail() {
    if (inbox_.load(relaxed) == nullptr) return;
    MailNode* oldest_first = nullptr;
    MailNode* last = nullptr;
    for (MailNode* node = inbox_.exchange(nullptr, acquire); node != nullptr;) {
      MailNode* const older = node->next;
      node->next = oldest_first;
      if (last == nullptr) last = node;
      oldest_first = node;
      node = older;
    }
    if (last == nullptr) return;
    if (mail_ == nullptr) {
      mail_ = oldest_first;
    } else {
      end_->next = oldest_first;
    }
    end_ = last;
  }
  /// `read` gets each node and its news; the node may be gone after that.
  template <class Read>
  void read_mail(Read read) {
    take_mail();
    while (mail_ != nullptr) {
      MailNode& node = *mail_;
      mail_ = node.next;
      read(node, node.news.exchange(0, acq_rel));
    }
  }
  /// \return what was posted and not read
  std::uint32_t take_out(MailNode& node) {
    take_mail();
    MailNode* before = nullptr;
    MailNode* at = mail_;
    while (at != nullptr && at != &node) {
      before = at;
      at = at->next;
    }
    if (at == nullptr) return 0;
    MailNode* const after = node.next;
    if (before == nullptr) {
      mail_ = after;
    } else {
      before->next = after;
    }
    if (end_ == &node) end_ = before;
    return node.news.exchange(0, acquire);
  }
  void leave_inbox(MailNode& node) {
    if ((node.news.load(acquire) & MailNode::kQueued) == 0) return;
    MODEL_CHECK(take_out(node) != 0);  // whoever posted is done with it
  }
  void sleep() { parker_.park(); }

 private:
  Atomic<MailNode*> inbox_{nullptr};
  Parker parker_;  // which is the thread's, and immortal: whoever pushed may unpark when the hub has gone
  MailNode* mail_ = nullptr;
  MailNode* end_ = nullptr;
};

}  // namespace weft::detail::model
