// SPDX-License-Identifier: MIT OR Apache-2.0
//
// How others tell a hub something, and how it reads that.
#include <utility>

#include "io/fixed_set.hpp"
#include "io/hub.hpp"
#include "io/shelf.hpp"
#include "io/stream.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/pool_state.hpp"

namespace weft::io::detail {

// ---- any thread ----------------------------------------------------------------------------

bool Hub::push(InboxNode& node) noexcept {
  InboxNode* head = inbox_.load(relaxed);  // relaxed: a guess for the exchange
  do {
    node.next_in_inbox = head;
  } while (!inbox_.compare_exchange_weak(head, &node, release, relaxed));  // pairs with take_mail
  return head == nullptr;
}

void Hub::wake(bool was_empty) noexcept {
  if (pool_ == nullptr) {  // a reactor's: whoever pushed first since it took its mail wakes it
    if (was_empty) weft::detail::event_signal(event_);
    return;
  }
  // Seq_cst: see activate(). A hub that we still see inactive may sleep in any place.
  Parker* const thread = parker();
  if (thread != nullptr) thread->unpark();
  if (!active_.load(seq_cst)) pool_->idle.wake_all();
}

void Hub::post(InboxNode& node, std::uint32_t bits) noexcept {
  if (pool_ == nullptr) posters_.enter();
  // Acq_rel: the bits say what is to be done; in the total order with the hub's taking them.
  const std::uint32_t before =
      node.news.fetch_or(bits | InboxNode::kQueued, acq_rel);
  const bool was_empty = (before & InboxNode::kQueued) == 0 && push(node);
  wake(was_empty);
  if (pool_ == nullptr) posters_.leave();
}

void Hub::post_new(Operation& op) noexcept {
  // Once it is pushed it may end, and with it the pool, if it is another one than the caller's.
  const weft::detail::Visits::Visit visit(pool_ == nullptr ? posters_ : pool_->visits);
  wake(push(op));
}

void Hub::post_if_active(std::uint32_t bits) noexcept {
  if (active_.load(seq_cst)) post(control_, bits);  // seq_cst: see activate()
}

// ---- its thread ----------------------------------------------------------------------------

void Hub::take_mail() noexcept {
  if (!has_mail()) return;
  InboxNode* newest_first = inbox_.exchange(nullptr, acquire);  // acquire: pairs with push
  InboxNode* oldest_first = nullptr;
  InboxNode** const end = newest_first == nullptr ? mail_end_ : &newest_first->next_in_inbox;
  while (newest_first != nullptr) {
    InboxNode* const node = newest_first;
    newest_first = node->next_in_inbox;
    node->next_in_inbox = oldest_first;
    oldest_first = node;
  }
  *mail_end_ = oldest_first;
  mail_end_ = end;
}

void Hub::read_mail() noexcept {
  take_mail();
  if (mail_ == nullptr) return;
  (void)activate();
  while (mail_ != nullptr) {
    InboxNode& node = *mail_;
    mail_ = node.next_in_inbox;
    if (mail_ == nullptr) mail_end_ = &mail_;
    // Acq_rel: see post(). From here on the node may be posted again.
    const std::uint32_t news = node.news.exchange(0, acq_rel);
    if ((news & InboxNode::kClose) != 0) cancel_all();
    if ((news & InboxNode::kDrop) != 0) look_for_dropped_ = true;
    if (&node == &control_) continue;
    if ((news & (InboxNode::kBufferBack | InboxNode::kPoolDropped)) != 0) {
      read_mail_of(static_cast<Shelf&>(node), news);
      continue;
    }
    if ((news & InboxNode::kSetUnused) != 0) {
      driver_->leave(static_cast<Registration&>(node));
      continue;
    }
    auto& op = static_cast<Operation&>(node);
    if ((news & InboxNode::kStreamDropped) != 0) {
      static_cast<StreamState&>(op).dropped();
    } else if ((news & InboxNode::kFinished) != 0) {
      if ((news & InboxNode::kStop) != 0 && op.reason == Reason::kNone) op.reason = Reason::kStopped;
      completed(op, op.result);
    } else if ((news & InboxNode::kStart) != 0) {
      if ((news & InboxNode::kStop) != 0) op.reason = Reason::kStopped;
      start(op);
    } else if ((news & InboxNode::kStop) != 0) {
      cancel(op, Reason::kStopped);
    }
  }
}

void Hub::leave_inbox(InboxNode& node) noexcept {
  // Acquire: pairs with post(), of whoever cannot post any more.
  if ((node.news.load(acquire) & InboxNode::kQueued) == 0) return;
  take_mail();
  InboxNode** at = &mail_;
  while (*at != &node) at = &(*at)->next_in_inbox;
  *at = node.next_in_inbox;
  if (*at == nullptr) mail_end_ = at;
  node.news.store(0, relaxed);  // relaxed: whoever has it next gets it from us
}

bool Hub::drop_is_posted(StreamState& stream) noexcept {
  take_mail();
  InboxNode** at = &mail_;
  while (*at != nullptr && *at != &stream) at = &(*at)->next_in_inbox;
  if (*at == nullptr) return false;
  // Acquire: pairs with post().
  const bool dropped = (stream.news.exchange(0, acquire) & InboxNode::kStreamDropped) != 0;
  *at = stream.next_in_inbox;
  if (*at == nullptr) mail_end_ = at;
  return dropped;
}

void Hub::start_mail_of(StreamState& stream) noexcept {
  for (InboxNode** at = &mail_; *at != nullptr;) {
    InboxNode& node = **at;
    // Relaxed: of a node that is in the inbox this bit does not change. Others than operations lack it.
    const bool is_start = (node.news.load(relaxed) & InboxNode::kStart) != 0;
    if (!is_start || static_cast<Operation&>(node).stream != &stream) {
      at = &node.next_in_inbox;
      continue;
    }
    *at = node.next_in_inbox;
    if (*at == nullptr) mail_end_ = at;
    auto& op = static_cast<Operation&>(node);
    // Acq_rel: see post().
    if ((op.news.exchange(0, acq_rel) & InboxNode::kStop) != 0) op.reason = Reason::kStopped;
    start(op);
  }
}

}  // namespace weft::io::detail
