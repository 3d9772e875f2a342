// SPDX-License-Identifier: MIT OR Apache-2.0
//
// io::link.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "io/hub.hpp"
#include "weft/io/link.hpp"

namespace weft::io::detail {

namespace {

// How many bytes it has to move for the next one to begin, as io_uring has it.
std::uint64_t least(const Operation& op) noexcept {
  const io_uring_sqe& sqe = op.sqe();
  switch (sqe.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE: return sqe.len;
    case IORING_OP_READV:
    case IORING_OP_WRITEV: {
      std::uint64_t sum = 0;
      const auto* const vectors =
          reinterpret_cast<const iovec*>(static_cast<std::uintptr_t>(sqe.addr));
      for (std::uint32_t i = 0; i < sqe.len; ++i) sum += vectors[i].iov_len;
      return sum;
    }
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
    case IORING_OP_RECV: return (sqe.msg_flags & MSG_WAITALL) != 0 ? sqe.len + op.done_bytes : 0;
    default: return 0;
  }
}

bool breaks(const Operation& part) noexcept {
  if (part.result < 0) return true;
  return part.kind == Kind::kEntry && part.step == nullptr &&
         static_cast<std::uint32_t>(part.result) < least(part);
}

bool plain(const Operation* part) noexcept {
  if (part->kind != Kind::kEntry || part->step != nullptr) return false;
  const Extras* const extras = part->extras();
  return extras == nullptr || (extras->time == kNever && !extras->token.stop_possible());
}

}  // namespace

void Chain::begin() noexcept {
  begun_ = true;
  for (Operation* const part : parts_) {
    part->hub = hub;
    part->with_extras().chain = this;
    part->result = -ECANCELED;
  }
  if (std::all_of(parts_.begin(), parts_.end(), plain) && hub->start_linked(parts_)) {
    to_come_ = parts_.size();
  } else {
    begin_next();
  }
}

void Chain::begin_next() noexcept {
  Operation& part = *parts_[at_];
  heed_token(part);
  hub->begin(part);  // it may have ended, and all have, and this be gone
}

void Chain::part_ended(Operation& part) noexcept {
  if (to_come_ != 0) {
    while (at_ < parts_.size() && parts_[at_]->place == Place::kNowhere) ++at_;
    if (--to_come_ == 0) return all_ended();
    // The one that was cancelled has ended well all the same: it is this one now that is under way.
    if (reason != Reason::kNone && at_ > 0 && !breaks(*parts_[at_ - 1])) cancel_parts();
    return;
  }
  if (breaks(part) || ++at_ == parts_.size()) return hub->completed(*this, 0);
  if (reason != Reason::kNone) return hub->completed(*this, 0);
  begin_next();
}

void Chain::all_ended() noexcept {
  for (at_ = 0; at_ < parts_.size(); ++at_) {
    const std::int32_t result_of_part = parts_[at_]->result;
    const bool again = result_of_part == -EAGAIN || result_of_part == -EINTR;
    // It broke off because the descriptor has O_NONBLOCK: from here on one by one.
    if (again && reason == Reason::kNone) return begin_next();
    if (result_of_part < 0) break;
  }
  hub->completed(*this, 0);
}

void Chain::cancel_parts() noexcept {
  if (at_ < parts_.size()) hub->cancel(*parts_[at_], reason);
}

}  // namespace weft::io::detail
