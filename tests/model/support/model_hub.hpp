// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// A hub, as much as the models of what posts to one need: the shipping inbox, and a thread that sleeps.
/// The steps are those of Hub::post, read_mail, start_mail_of and leave_inbox.

#include "model.hpp"

#include "io/inbox.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail::model {

struct MailNode {
  static constexpr std::uint32_t kQueued = 1;

  Plain<MailNode*> next_in_inbox{nullptr};
  Atomic<std::uint32_t> news{0};
};

class ModelHub {
 public:
  // ---- any thread

  void post(MailNode& node, std::uint32_t bits) {
    inbox_.post(node, bits);
    parker_.unpark();
  }

  // ---- its thread

  /// `read` gets each node and its news; the node may be gone after that.
  template <class Read>
  void read_mail(Read read) {
    inbox_.take();
    while (MailNode* const node = inbox_.next()) read(*node, io::detail::take_news(*node));
  }
  /// Of one node. \return its news, if it was there
  std::uint32_t read_mail_of(MailNode& node) {
    inbox_.take();
    const bool there = inbox_.take_out([&](const MailNode& one) { return &one == &node; }) != nullptr;
    return there ? io::detail::take_news(node) : 0;
  }
  /// \return what was posted and not read
  std::uint32_t leave_inbox(MailNode& node) { return inbox_.clear(node); }
  void sleep() { parker_.park(); }

 private:
  io::detail::Inbox<MailNode> inbox_;
  Parker parker_;  // which is the thread's, and immortal: whoever pushed may unpark when the hub has gone
};

}  // namespace weft::detail::model
