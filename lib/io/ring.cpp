// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver on io_uring.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "io/hub.hpp"
#include "io/ring.hpp"

namespace weft::io::detail {

namespace {

// Newer than liburing 2.3 (Linux 6.15).
constexpr unsigned kEnterNoIowait = 1u << 7;
constexpr unsigned kFeatureNoIowait = 1u << 17;

// What an operation's entry is when it is in the kernel.
enum State : std::uint8_t { kItself, kItsPoll };

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

// True if EAGAIN means that the descriptor has O_NONBLOCK, where the kernel does not wait by itself.
bool would_wait(const io_uring_sqe& sqe) noexcept {
  switch (sqe.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV: return (static_cast<unsigned>(sqe.rw_flags) & RWF_NOWAIT) == 0;
    case IORING_OP_ACCEPT: return true;
    case IORING_OP_RECV:
    case IORING_OP_RECVMSG:
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC: return (sqe.msg_flags & MSG_DONTWAIT) == 0;
    default: return false;
  }
}

}  // namespace

int Ring::make() noexcept {
  constexpr unsigned kLadder[] = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
          IORING_SETUP_SUBMIT_ALL,
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
      0,
  };
  int error = -ENOSYS;
  for (const unsigned flags : kLadder) {
    io_uring_params params;
    std::memset(&params, 0, sizeof params);
    params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = kCompletions;
    error = io_uring_queue_init_params(kSubmissions, &ring_, &params);
    if (error == -EINVAL) continue;  // a flag that this kernel does not know
    break;
  }
  if (error != 0) return error;
  made_ = true;
  // Nothing is ever dropped, and waiting takes a timeout: Linux 5.11.
  if ((ring_.features & IORING_FEAT_NODROP) == 0 || (ring_.features & IORING_FEAT_EXT_ARG) == 0) {
    return -ENOSYS;
  }
  // Entry i of the indirection always names slot i, so that submitting is moving the tail.
  if (ring_.sq.array != nullptr) {
    for (unsigned i = 0; i < *ring_.sq.kring_entries; ++i) ring_.sq.array[i] = i;
  }
  look_what_is_supported();
  enter_flags_ = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if ((ring_.features & kFeatureNoIowait) != 0) enter_flags_ |= kEnterNoIowait;
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;
  watch_event();
  return 0;
}

void Ring::look_what_is_supported() noexcept {
  io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return;
  for (unsigned i = 0; i < 256; ++i) {
    supported_[i] = io_uring_opcode_supported(probe, static_cast<int>(i)) != 0;
  }
  io_uring_free_probe(probe);
}

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
    io_uring_prep_poll_add(&sqe, op.sqe().fd, sends(op.sqe().opcode) ? POLLOUT : POLLIN);
  } else {
    sqe = op.sqe();
    const bool registered = op.other_set.get() != nullptr || op.file_slot >= 0;
    if (registered && made_) [[unlikely]] use_registered(sqe, op);
  }
  sqe.user_data = tag_of(op);
  op.place = Place::kKernel;
}

// The tables of a ring that is the program's own are the program's, too.
void Ring::use_registered(io_uring_sqe& sqe, const Operation& op) noexcept {
  if (op.file_slot >= 0 && files_.has(*op.file_set.get())) {
    sqe.fd = op.file_slot;
    sqe.flags |= IOSQE_FIXED_FILE;
  }
  const bool takes_buffer = sqe.opcode == IORING_OP_READ || sqe.opcode == IORING_OP_WRITE ||
                            sqe.opcode == IORING_OP_SEND_ZC;
  FixedSet* const set = op.other_set.get();
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
  return false;
}

bool Ring::ready() const noexcept {
  return *ring_.cq.khead != std::atomic_ref<unsigned>(*ring_.cq.ktail).load(relaxed) ||
         kernel_has_more();
}

std::int32_t Ring::provide(void* ring, unsigned entries, std::uint16_t group) noexcept {
  if (!multishot()) return -ENOSYS;
  io_uring_buf_reg registration;
  std::memset(&registration, 0, sizeof registration);
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
  registration.ring_entries = entries;
  registration.bgid = group;
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

void Ring::enter(unsigned wait_for, Nanoseconds timeout) noexcept {
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  ring_.sq.sqe_head = ring_.sq.sqe_tail;  // liburing flushes nothing
  const unsigned to_submit = ring_.sq.sqe_tail - *ring_.sq.khead;
  __kernel_timespec limit{.tv_sec = timeout / 1'000'000'000, .tv_nsec = timeout % 1'000'000'000};
  io_uring_getevents_arg argument;
  std::memset(&argument, 0, sizeof argument);
  if (timeout != kNever) argument.ts = reinterpret_cast<std::uintptr_t>(&limit);
  // Whatever it returns: entries that were not taken are still there, and counted next time.
  // EBUSY: completions have to be reaped first. EAGAIN: no memory, for the moment. EINTR, ETIME.
  const long taken = ::syscall(SYS_io_uring_enter, ring_.enter_ring_fd, to_submit, wait_for,
                               enter_flags_, &argument, sizeof argument);
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
  if (cqe.user_data == cancellation_) return;
  Operation& op = operation_of(cqe.user_data);
  op.completion_flags = cqe.flags;
  if (more) {
    op.result = cqe.res;
    // Otherwise a zero-copy send: the buffer is still in use.
    if (op.kind == Kind::kStream) hub_.progressed(op);
    return;
  }
  if (op.place == Place::kCancelling) to_cancel_.remove(op);
  op.place = Place::kNowhere;
  std::int32_t result = (cqe.flags & IORING_CQE_F_NOTIF) != 0 ? op.result : cqe.res;
  const bool was_poll = op.driver_state == kItsPoll;
  const bool would_block = !was_poll && result == -EAGAIN && would_wait(op.sqe());
  if (op.linked) {
    // Its chain decides.
  } else if (op.reason == Reason::kNone) {
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

std::unique_ptr<Driver> make_ring(Hub& hub, int event) {
  auto ring = std::make_unique<Ring>(hub, event);
  if (ring->make() != 0) return nullptr;
  return ring;
}

std::int32_t try_to_lock(void* memory, std::size_t size) noexcept {
  if (!ring_usable()) return 0;
  io_uring ring;
  int error = io_uring_queue_init(2, &ring, 0);
  if (error != 0) return error == -ENOMEM ? error : 0;  // newer kernels count a ring's own memory, too
  const iovec all{.iov_base = memory, .iov_len = size};
  error = io_uring_register_buffers(&ring, &all, 1);
  // At once; the end of a ring may come later.
  if (error == 0) io_uring_unregister_buffers(&ring);
  io_uring_queue_exit(&ring);
  return error;
}

bool ring_usable() noexcept {
  static const bool usable = [] {
    const char* const wish = std::getenv("WEFT_IO");
    if (wish != nullptr && std::strcmp(wish, "epoll") == 0) return false;
    io_uring ring;
    if (io_uring_queue_init(2, &ring, 0) != 0) return false;
    const bool good = (ring.features & IORING_FEAT_NODROP) != 0 &&
                      (ring.features & IORING_FEAT_EXT_ARG) != 0;
    io_uring_queue_exit(&ring);
    return good;
  }();
  return usable;
}

}  // namespace weft::io::detail
