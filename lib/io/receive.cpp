// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Receiving into buffers of a pool: what recv and recv_many have in common, and recv.
#include "weft/io/receive.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/shelf.hpp"

namespace weft::io::detail {

bool Receiver::prepare(Operation& op, bool many) noexcept {
  io_uring_sqe& sqe = op.sqe();
  sqe = io_uring_sqe{};
  sqe.fd = fd;
  if (shelf->kernel_chooses()) {
    if (!shelf->stocked() && shelf->wait(op)) return false;
    sqe.opcode = IORING_OP_RECV;
    sqe.msg_flags = static_cast<std::uint32_t>(flags);
    sqe.flags = IOSQE_BUFFER_SELECT;
    sqe.buf_group = shelf->group();
    if (many) {
      sqe.ioprio = IORING_RECV_MULTISHOT;
    } else {
      sqe.len = shelf->bytes();
    }
  } else if (!readable && (flags & MSG_DONTWAIT) == 0) {
    sqe.opcode = IORING_OP_POLL_ADD;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    sqe.poll32_events = std::uint32_t{POLLIN} << 16;
#else
    sqe.poll32_events = POLLIN;
#endif
  } else {
    buffer = shelf->take();
    if (buffer < 0 && shelf->wait(op)) return false;
    if (buffer < 0) buffer = shelf->take();
    sqe.opcode = IORING_OP_RECV;
    sqe.addr = reinterpret_cast<std::uintptr_t>(shelf->address(static_cast<std::uint32_t>(buffer)));
    sqe.len = shelf->bytes();
    sqe.msg_flags = static_cast<std::uint32_t>(flags) | MSG_DONTWAIT;
  }
  return true;
}

Receiver::Outcome Receiver::take(Operation& op) noexcept {
  std::int32_t& result = op.result;
  if (!shelf->kernel_chooses()) {
    op.completion_flags = 0;
    if (op.sqe().opcode == IORING_OP_POLL_ADD) {
      readable = result > 0;
      if (result >= 0) return Outcome::kAgain;
    } else if (buffer >= 0) {
      // If it was filled there may be more.
      readable = result > 0 && static_cast<std::uint32_t>(result) == shelf->bytes();
      const auto chosen = static_cast<std::uint32_t>(std::exchange(buffer, -1));
      op.completion_flags = IORING_CQE_F_BUFFER | chosen << IORING_CQE_BUFFER_SHIFT;
    }
  }
  const bool has_buffer = (op.completion_flags & IORING_CQE_F_BUFFER) != 0;
  const std::uint32_t which = op.completion_flags >> IORING_CQE_BUFFER_SHIFT;
  if (has_buffer && shelf->kernel_chooses()) shelf->chosen(which);
  if (result > 0) {
    // Of a datagram that was cut off the kernel may tell the whole length.
    result = std::min(result, static_cast<std::int32_t>(shelf->bytes()));
    return Outcome::kGot;
  }
  if (has_buffer) shelf->give_back(which);
  op.completion_flags = 0;
  switch (-result) {
    case 0: return Outcome::kEnd;
    case ECANCELED:
    case EINTR:
    case EAGAIN:  // somebody else was faster
    case ENOBUFS: return Outcome::kAgain;  // no buffer: prepare() waits for one
    default: return Outcome::kFailed;
  }
}

void Receiver::withdraw() noexcept {
  if (buffer >= 0) shelf->give_back(static_cast<std::uint32_t>(std::exchange(buffer, -1)));
}

// ---- recv ----------------------------------------------------------------------------------

Receive::Receive(BorrowedFd fd, Shelves& shelves, int flags) noexcept
    : receiver_{.fd = fd.get(), .flags = flags & ~MSG_WAITALL}, shelves_(&shelves) {
  kind = Kind::kReceive;
  keep(fd);
}

void Receive::begin() noexcept {
  missing_ = false;
  if (!hub->of_pool()) return hub->completed(*this, -EOPNOTSUPP);
  if (receiver_.shelf == nullptr) {
    receiver_.shelf = shelves_->of(*hub);
    if (receiver_.shelf == nullptr) return hub->completed(*this, -ENOMEM);
    receiver_.shelf->add_user();
  }
  if (receiver_.prepare(*this, false)) {
    hub->give_to_driver(*this);
  } else {
    missing_ = true;
  }
}

bool Receive::goes_on() noexcept {
  if (receiver_.shelf == nullptr) return false;  // it has not begun
  const std::int32_t before = result;
  switch (receiver_.take(*this)) {
    case Receiver::Outcome::kGot: has_buffer_ = true; return false;
    case Receiver::Outcome::kAgain: break;
    default: return false;
  }
  if (reason != Reason::kNone) {
    result = -ECANCELED;
    return false;
  }
  const bool would_wait = before == -EAGAIN && (receiver_.flags & MSG_DONTWAIT) != 0;
  if (would_wait || before == -ECANCELED) return false;
  begin();
  return true;
}

bool Receive::stop_missing() noexcept {
  if (!std::exchange(missing_, false)) return false;
  receiver_.shelf->stop_waiting(*this);
  return true;
}

void Receive::leave_shelf() noexcept {
  if (receiver_.shelf != nullptr) receiver_.shelf->remove_user_of(*hub);
}

}  // namespace weft::io::detail
