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
  wake(inbox_.post(node, bits));
  if (pool_ == nullptr) posters_.leave();
}

void Hub::post_new(Operation& op) noexcept {
  // Once it is pushed it may end, and with it the pool, if it is another one than the caller's.
  const weft::detail::Visits::Visit visit(pool_ == nullptr ? posters_ : pool_->visits);
  wake(inbox_.push(op));
}

// ---- its thread ----------------------------------------------------------------------------

void Hub::read_mail() noexcept {
  inbox_.take();
  InboxNode* next = inbox_.next();
  if (next == nullptr) return;
  (void)activate();
  for (; next != nullptr; next = inbox_.next()) {
    InboxNode& node = *next;
    const std::uint32_t news = take_news(node);
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

void Hub::start_mail_of(StreamState& stream) noexcept {
  inbox_.take();
  const auto is_wait = [&stream](const InboxNode& node) noexcept {
    // Relaxed: of a node that is in the inbox this bit does not change. Others than operations lack it.
    return (node.news.load(relaxed) & InboxNode::kStart) != 0 &&
           static_cast<const Operation&>(node).stream == &stream;
  };
  while (InboxNode* const node = inbox_.take_out(is_wait)) {
    auto& op = static_cast<Operation&>(*node);
    if ((take_news(op) & InboxNode::kStop) != 0) op.reason = Reason::kStopped;
    start(op);
  }
}

}  // namespace weft::io::detail
