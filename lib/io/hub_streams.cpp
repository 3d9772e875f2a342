// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a hub does for streams and their buffers.
#include <cerrno>

#include "io/hub.hpp"
#include "io/linked.hpp"
#include "io/shelf.hpp"
#include "io/stream.hpp"

namespace weft::io::detail {

// ---- for streams ---------------------------------------------------------------------------

void Hub::add(StreamState& stream) noexcept {
  link_first<&StreamState::previous_of_hub, &StreamState::next_of_hub>(streams_, stream);
}

void Hub::remove(StreamState& stream) noexcept {
  unlink<&StreamState::previous_of_hub, &StreamState::next_of_hub>(streams_, stream);
  set_deadline(stream, kNever);
  ignore_token(stream);
  leave_inbox(stream);
}

void Hub::run(StreamState& stream) noexcept {
  stream.generation = ++generation_;
  give_to_driver(stream);
}

bool Hub::interrupt(StreamState& stream) noexcept {
  turn_soon();  // the request is to be submitted
  return driver_->cancel(stream);
}

bool Hub::multishot() const noexcept { return driver_->multishot(); }

bool Hub::set_deadline(Operation& op, Nanoseconds at) noexcept {
  timers_.remove(op);
  return at == kNever || timers_.add(op, at);
}

void Hub::cancel_streams() noexcept {
  for (StreamState* s = streams_; s != nullptr; s = s->next_of_hub) cancel(*s, Reason::kStopped);
}

void Hub::leave_streams() noexcept {
  const auto none_is_left = [this]() noexcept {
    for (StreamState* s = streams_; s != nullptr;) {
      StreamState& one = *s;
      s = s->next_of_hub;
      one.leave_hub();
    }
    return streams_ == nullptr;
  };
  while (!none_is_left()) {
    turn();
    if (none_is_left()) break;
    driver_->wait(kNever);  // for their last completions
  }
  while (shelves_ != nullptr) shelves_->disconnect(*this);
  deliver();  // to tasks of other pools that waited
}

// ---- for buffers ---------------------------------------------------------------------------

void Hub::add(Shelf& shelf) noexcept {
  shelf.next_of_hub = shelves_;
  shelves_ = &shelf;
}

void Hub::remove(Shelf& shelf) noexcept {
  Shelf** at = &shelves_;
  while (*at != &shelf) at = &(*at)->next_of_hub;
  *at = shelf.next_of_hub;
  leave_inbox(shelf);
}

bool Hub::provide(void* ring, unsigned entries, std::uint16_t& group) noexcept {
  if (driver_ == nullptr) return false;
  // As often as one of those numbers may be in use by another pool.
  for (unsigned tries = 0; tries < (1u << 16); ++tries) {
    group = ++last_group_;
    const std::int32_t error = driver_->provide(ring, entries, group);
    if (error == 0) return true;
    if (error != -EEXIST) return false;
  }
  return false;
}

void Hub::stop_providing(std::uint16_t group) noexcept { driver_->stop_providing(group); }

void Hub::look_at_shelves() noexcept {
  for (Shelf* s = shelves_; s != nullptr; s = s->next_of_hub) s->look();
}

void Hub::read_mail_of(Shelf& shelf, std::uint32_t news) noexcept {
  // That a buffer is back the look of this turn will find.
  if ((news & InboxNode::kPoolDropped) == 0) return;
  shelf.pool_of_users_is_gone(*this);
}

}  // namespace weft::io::detail
