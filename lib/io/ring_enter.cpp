// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver on io_uring: going to the kernel, and what comes back.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "io/ring.hpp"

namespace weft::io::detail {

namespace {

// Of a call in a thread of the kernel's that was cancelled: an error number of the kernel's own, which splice and
// opening a FIFO do not change into EINTR.
bool to_be_restarted(std::int32_t result) noexcept {
  constexpr std::int32_t kSystem = 512, kNoInterrupt = 513, kNoHandler = 514, kBlock = 516;
  return result == -kSystem || result == -kNoInterrupt || result == -kNoHandler || result == -kBlock;
}

// True if EAGAIN means that the descriptor has O_NONBLOCK, where the kernel does not wait by itself.
bool would_wait(const io_uring_sqe& sqe) noexcept {
  switch (sqe.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV: return (static_cast<unsigned>(sqe.rw_flags) & RWF_NOWAIT) == 0;
    case IORING_OP_ACCEPT: return true;
    case IORING_OP_SPLICE:
    case IORING_OP_TEE: return (sqe.splice_flags & SPLICE_F_NONBLOCK) == 0;
    case IORING_OP_RECV:
    case IORING_OP_RECVMSG:
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC: return (sqe.msg_flags & MSG_DONTWAIT) == 0;
    default: return false;
  }
}

}  // namespace

bool Ring::ready() const noexcept {
  return *ring_.cq.khead != std::atomic_ref<unsigned>(*ring_.cq.ktail).load(relaxed) ||
         kernel_has_more() || (again_at_ != kNever && now() >= again_at_);
}

void Ring::enter(unsigned wait_for, Nanoseconds timeout) noexcept {
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  ring_.sq.sqe_head = ring_.sq.sqe_tail;  // liburing flushes nothing
  const unsigned to_submit = ring_.sq.sqe_tail - *ring_.sq.khead;
  __kernel_timespec limit{.tv_sec = timeout / 1'000'000'000, .tv_nsec = timeout % 1'000'000'000};
  io_uring_getevents_arg argument;
  std::memset(&argument, 0, sizeof argument);
  argument.ts = reinterpret_cast<std::uintptr_t>(&limit);
  const bool limited = timeout != kNever;
  // Whatever it returns: entries that were not taken are still there, and counted next time.
  // EBUSY: completions have to be reaped first. EAGAIN: no memory, for the moment. EINTR, ETIME.
  const long taken = ::syscall(SYS_io_uring_enter, ring_.enter_ring_fd, to_submit, wait_for,
                               enter_flags_ | (limited ? IORING_ENTER_EXT_ARG : 0u),
                               limited ? &argument : nullptr, limited ? sizeof argument : 0);
  if (taken < 0 && errno == EAGAIN) std::this_thread::yield();
}

void Ring::poll(bool submit) noexcept {
  if (!submit && !any_waits()) return reap();
  // More than once only for what waits for an entry, and bounded, so that tasks get their turn.
  for (int round = 0; round < 4; ++round) {
    give_waiting();
    if (unsubmitted() || kernel_has_more()) enter(0, kNever);
    reap();
    if (!any_waits()) break;
  }
}

void Ring::wait(Nanoseconds timeout) noexcept {
  give_waiting();
  if (again_at_ != kNever) timeout = std::min(timeout, std::max<Nanoseconds>(again_at_ - now(), 0));
  // Not to sleep with what could be given, nor without the event that is to wake us.
  enter(event_watched_ && !any_waits() ? 1 : 0, timeout);
  reap();
}

void Ring::reap() noexcept {
  unsigned head = *ring_.cq.khead;
  // Acquire: the entries below the tail are written.
  const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
  for (; head != tail; ++head) {
    const io_uring_cqe cqe = ring_.cq.cqes[head & *ring_.cq.kring_mask];
    io_uring_smp_store_release(ring_.cq.khead, head + 1);  // taken
    take(cqe);
  }
}

void Ring::take(const io_uring_cqe& cqe) noexcept {
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if (cqe.user_data == wake_up_) {
    event_watched_ = more;
    return;
  }
  if (cqe.user_data == cancellation_) {
    // While a request is on its way from one state to another, from a poll to a thread that blocks for it, say,
    // the kernel does not find it. Or it has ended, and its completion is here, or on its way; that of a
    // zero-copy send, and others that cannot be cancelled, come when they can.
    if (cqe.res == -ENOENT && !cancelled_.empty() && again_at_ == kNever) {
      again_at_ = now() + pause_;
      pause_ = std::min(2 * pause_, kMostPause);
    }
    return;
  }
  Operation& op = operation_of(cqe.user_data);
  op.completion_flags = cqe.flags;
  if (more) {
    op.result = cqe.res;
    // Otherwise a zero-copy send: the buffer is still in use.
    if (op.kind == Kind::kStream) hub_.progressed(op);
    return;
  }
  if (op.place == Place::kCancelling) to_cancel_.remove(op);
  if (op.place == Place::kCancelled) {
    cancelled_.remove(op);
    if (cancelled_.empty()) pause_ = kLeastPause;
  }
  op.place = Place::kNowhere;
  std::int32_t result = (cqe.flags & IORING_CQE_F_NOTIF) != 0 ? op.result : cqe.res;
  if (to_be_restarted(result)) result = -EINTR;
  const bool was_poll = op.driver_state == kItsPoll;
  const bool would_block = !was_poll && result == -EAGAIN && would_wait(op.sqe());
  if (op.linked) {
    // Its chain decides.
  } else if (!op.ending) {
    if (was_poll && result >= 0) {
      op.driver_state = kItself;
      return give(op);
    }
    if (would_block) {
      op.driver_state = kItsPoll;
      return give(op);
    }
  } else if ((was_poll && result >= 0) || would_block) {
    result = -ECANCELED;  // nothing was done
  }
  hub_.completed(op, result);
}

}  // namespace weft::io::detail
