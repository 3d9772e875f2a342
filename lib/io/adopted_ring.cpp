// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver of an io::Reactor.
#include "io/adopted_ring.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "weft/io/reactor.hpp"

namespace weft::io {

namespace detail {

namespace {

constexpr std::uint64_t kWakeUp = Reactor::kUserData | 1;
constexpr std::uint64_t kCancellation = Reactor::kUserData | 2;
constexpr std::uint64_t kTimeout = Reactor::kUserData | 3;
constexpr std::uint64_t kNothing = Reactor::kUserData | 4;

bool own_request(std::uint64_t user_data) noexcept {
  return (user_data & ~std::uint64_t{0xFFFF}) == Reactor::kUserData;
}

}  // namespace

AdoptedRing::AdoptedRing(Hub& hub, int event, io_uring& theirs) noexcept
    : Ring(hub, event, theirs, kWakeUp, kCancellation) {
  look_what_is_supported();
}

AdoptedRing::~AdoptedRing() {
  for (const std::uint64_t request : {kWakeUp, kTimeout}) {
    if (request == kWakeUp ? !event_watched_ : wakes_at_ == kNever) continue;
    io_uring_sqe* const sqe = entry();
    if (sqe == nullptr) continue;
    std::memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = request;
    sqe->user_data = kNothing;
  }
  io_uring_submit(&ring_);
}

bool AdoptedRing::learn(std::span<Operation* const> ops) noexcept {
  try {
    for (const Operation* const op : ops) known_.insert(tag_of(*op));
    return true;
  } catch (...) {  // std::bad_alloc
    for (const Operation* const op : ops) known_.erase(tag_of(*op));
    return false;
  }
}

void AdoptedRing::start(Operation& op) noexcept {
  Operation* const one = &op;
  if (!learn({&one, 1})) return hub_.refuse(op, -ENOMEM);
  Ring::start(op);
}

bool AdoptedRing::start_linked(std::span<Operation* const> parts) noexcept {
  if (!learn(parts)) return false;
  if (Ring::start_linked(parts)) return true;
  for (const Operation* const op : parts) known_.erase(tag_of(*op));
  return false;
}

bool AdoptedRing::cancel(Operation& op) noexcept {
  if (!Ring::cancel(op)) return false;
  known_.erase(tag_of(op));
  return true;
}

void AdoptedRing::submit(Nanoseconds deadline) noexcept {
  wake_at(std::min(deadline, again_at_));
  if (unsubmitted()) enter(0, kNever);
}

void AdoptedRing::wake_at(Nanoseconds at) noexcept {
  if (at >= wakes_at_) return;
  io_uring_sqe* const sqe = entry();
  if (sqe == nullptr) return;  // with the next submit
  const Nanoseconds left = std::max<Nanoseconds>(at - now(), 0);
  time_left_ = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
  std::memset(sqe, 0, sizeof *sqe);
  if (wakes_at_ == kNever) {
    io_uring_prep_timeout(sqe, &time_left_, 0, 0);
    sqe->user_data = kTimeout;
  } else {  // the one that is there, or it has ended, and that wakes the program
    io_uring_prep_timeout_update(sqe, &time_left_, kTimeout, 0);
    sqe->user_data = kNothing;
  }
  wakes_at_ = at;
}

bool AdoptedRing::dispatch(const io_uring_cqe& cqe) noexcept {
  if (own_request(cqe.user_data)) {
    if (cqe.user_data == kTimeout) wakes_at_ = kNever;
    if (cqe.user_data == kWakeUp || cqe.user_data == kCancellation) take(cqe);
    return true;
  }
  if (!known_.contains(cqe.user_data)) return false;
  take(cqe);
  // It is there until its frame goes on, later. If it was started once more it has, and keeps, its tag:
  // be it in the kernel or in line for it.
  const Operation& op = operation_of(cqe.user_data);
  if (tag_of(op) != cqe.user_data || op.place == Place::kNowhere) known_.erase(cqe.user_data);
  return true;
}

std::unique_ptr<Driver> adopt_ring(Hub& hub, int event, io_uring& theirs) {
  return std::make_unique<AdoptedRing>(hub, event, theirs);
}

}  // namespace detail

}  // namespace weft::io
