// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver on io_uring: what goes into the submission queue.
#include <poll.h>

#include <cstring>

#include "io/ring.hpp"

namespace weft::io::detail {

namespace {

bool sends(unsigned opcode) noexcept {
  switch (opcode) {
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC: return true;
    default: return false;
  }
}

// For the operation to go on: one end of a splice, the one that was not ready.
void prepare_poll(io_uring_sqe& sqe, const io_uring_sqe& of) noexcept {
  const bool splices = of.opcode == IORING_OP_SPLICE || of.opcode == IORING_OP_TEE;
  pollfd from{.fd = splices ? of.splice_fd_in : -1, .events = POLLIN, .revents = 0};
  const bool empty = splices && ::poll(&from, 1, 0) == 0;
  const bool full = splices ? !empty : sends(of.opcode);
  io_uring_prep_poll_add(&sqe, empty ? from.fd : of.fd, full ? POLLOUT : POLLIN);
}

}  // namespace

io_uring_sqe* Ring::entry() noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {  // full: the kernel takes what there is
    enter(0, kNever);
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void Ring::watch_event() noexcept {
  if (event_watched_) return;
  io_uring_sqe* const sqe = entry();
  if (sqe == nullptr) return;  // with the next turn
  std::memset(sqe, 0, sizeof *sqe);
  io_uring_prep_poll_multishot(sqe, event_, POLLIN);
  sqe->user_data = wake_up_;
  event_watched_ = true;
}

void Ring::make_ready(Operation& op) noexcept {
  if (op.sqe().opcode == IORING_OP_SEND_ZC && !supports(IORING_OP_SEND_ZC)) {
    op.sqe().opcode = IORING_OP_SEND;
  }
  op.driver_state = kItself;
  op.ending = false;
}

void Ring::start(Operation& op) noexcept {
  make_ready(op);
  give(op);
}

bool Ring::start_linked(std::span<Operation* const> parts) noexcept {
  const auto count = static_cast<unsigned>(parts.size());
  if (count > kSubmissions || !waiting_.empty()) return false;
  // A chain ends with what is submitted at once: there has to be room for all of it.
  if (io_uring_sq_space_left(&ring_) < count) enter(0, kNever);
  if (io_uring_sq_space_left(&ring_) < count) return false;
  for (Operation* const op : parts) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
    make_ready(*op);
    op->linked = true;
    fill(*sqe, *op);
    if (op != parts.back()) sqe->flags |= IOSQE_IO_LINK;
  }
  return true;
}

void Ring::give(Operation& op) noexcept {
  // Who came first goes first.
  io_uring_sqe* const sqe = waiting_.empty() ? entry() : nullptr;
  if (sqe != nullptr) return fill(*sqe, op);
  op.place = Place::kWaiting;
  waiting_.append(op);
}

void Ring::give_waiting() noexcept {
  watch_event();
  if (again_at_ != kNever && now() >= again_at_) {
    again_at_ = kNever;
    while (!cancelled_.empty()) {
      Operation& op = *cancelled_.first;
      cancelled_.remove(op);
      op.place = Place::kCancelling;
      to_cancel_.append(op);
    }
  }
  while (!to_cancel_.empty() && io_uring_sq_space_left(&ring_) != 0) {
    Operation& op = *to_cancel_.first;
    to_cancel_.remove(op);
    op.place = Place::kKernel;
    cancel(op);
  }
  while (!waiting_.empty()) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return;
    Operation& op = *waiting_.first;
    waiting_.remove(op);
    fill(*sqe, op);
  }
}

void Ring::fill(io_uring_sqe& sqe, Operation& op) noexcept {
  if (op.driver_state == kItsPoll) {
    std::memset(&sqe, 0, sizeof sqe);
    prepare_poll(sqe, op.sqe());
  } else {
    sqe = op.sqe();
    const Extras* const extras = op.extras();
    if (extras != nullptr && made_) [[unlikely]] use_registered(sqe, *extras);
  }
  sqe.user_data = tag_of(op);
  op.place = Place::kKernel;
}

// The tables of a ring that is the program's own are the program's, too.
void Ring::use_registered(io_uring_sqe& sqe, const Extras& of) noexcept {
  if (of.file_slot >= 0 && files_.has(*of.file_set.get())) {
    sqe.fd = of.file_slot;
    sqe.flags |= IOSQE_FIXED_FILE;
  }
  const bool takes_buffer = sqe.opcode == IORING_OP_READ || sqe.opcode == IORING_OP_WRITE ||
                            sqe.opcode == IORING_OP_SEND_ZC;
  FixedSet* const set = of.other_set.get();
  if (!takes_buffer || set == nullptr || !buffers_.has(*set)) return;
  switch (sqe.opcode) {
    case IORING_OP_READ: sqe.opcode = IORING_OP_READ_FIXED; break;
    case IORING_OP_WRITE: sqe.opcode = IORING_OP_WRITE_FIXED; break;
    default: sqe.ioprio |= IORING_RECVSEND_FIXED_BUF;
  }
  sqe.buf_index = static_cast<std::uint16_t>(set->first());
}

bool Ring::cancel(Operation& op) noexcept {
  if (op.place == Place::kWaiting) {
    waiting_.remove(op);
    return true;
  }
  op.ending = true;
  io_uring_sqe* const sqe = entry();
  if (sqe == nullptr) {
    op.place = Place::kCancelling;
    to_cancel_.append(op);
    return false;
  }
  std::memset(sqe, 0, sizeof *sqe);
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->addr = tag_of(op);
  sqe->user_data = cancellation_;
  op.place = Place::kCancelled;
  cancelled_.append(op);
  return false;
}

}  // namespace weft::io::detail
