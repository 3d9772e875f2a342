// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The driver on io_uring.

#include <liburing.h>

#include <atomic>
#include <cstdint>

#include "io/driver.hpp"
#include "io/fixed_table.hpp"
#include "io/hub.hpp"
#include "io/line.hpp"

namespace weft::io::detail {

inline constexpr unsigned kSubmissions = 256;
inline constexpr unsigned kCompletions = 4096;
// More may be in flight: an operation may wait for what a later one does, so none is held back for want
// of room. What ends beyond that the kernel keeps in a list of its own (IORING_FEAT_NODROP).

// What an operation's entry is when it is in the kernel.
enum EntryState : std::uint8_t { kItself, kItsPoll };

// The address, with the generation's lower bits above it. An operation that is started where another
// one was has another number, so nothing that was meant for that one hits it.
inline std::uint64_t tag_of(const Operation& op) noexcept {
  return reinterpret_cast<std::uintptr_t>(&op) | std::uint64_t{op.generation} << 48;
}

inline Operation& operation_of(std::uint64_t tag) noexcept {
  return *reinterpret_cast<Operation*>(tag & 0x0000'FFFF'FFFF'FFFF);
}

/// A ring that its hub's thread makes and enters; or, of AdoptedRing, one that somebody else does.
class Ring : public Driver {
 public:
  Ring(Hub& hub, int event) noexcept : hub_(hub), event_(event) {}
  ~Ring() override {
    buffers_.leave_all();
    files_.leave_all();
    if (made_) io_uring_queue_exit(&own_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// \return zero or an error number negated
  int make() noexcept;

  void start(Operation& op) noexcept override;
  bool start_linked(std::span<Operation* const> parts) noexcept override;
  bool cancel(Operation& op) noexcept override;
  bool ready() const noexcept override;
  bool tells() const noexcept override { return true; }
  bool unsubmitted() const noexcept override { return ring_.sq.sqe_tail != *ring_.sq.khead; }
  void poll(bool submit) noexcept override;
  void wait(Nanoseconds timeout) noexcept override;

  // What can both is as old as this opcode (6.0).
  bool multishot() const noexcept override { return supports(IORING_OP_SEND_ZC); }
  std::int32_t provide(void* ring, unsigned entries, std::uint16_t group) noexcept override;
  void stop_providing(std::uint16_t group) noexcept override {
    io_uring_unregister_buf_ring(&ring_, group);
  }
  void leave(Registration& one) noexcept override { one.table->leave(one); }

 protected:
  Ring(Hub& hub, int event, io_uring& theirs, std::uint64_t wake_up,
       std::uint64_t cancellation) noexcept
      : hub_(hub), event_(event), wake_up_(wake_up), cancellation_(cancellation), ring_(theirs) {}
  io_uring_sqe* entry() noexcept;
  void look_what_is_supported() noexcept;
  void make_ready(Operation& op) noexcept;
  void give(Operation& op) noexcept;
  void give_waiting() noexcept;
  bool any_waits() const noexcept { return !waiting_.empty() || !to_cancel_.empty(); }
  void watch_event() noexcept;
  void take(const io_uring_cqe& cqe) noexcept;
  void fill(io_uring_sqe& sqe, Operation& op) noexcept;
  void use_registered(io_uring_sqe& sqe, const Extras& of) noexcept;
  virtual void enter(unsigned wait_for, Nanoseconds timeout) noexcept;
  virtual void reap() noexcept;
  // Relaxed, here and in ready(): what it leads to acquires.
  bool kernel_has_more() const noexcept {
    return (std::atomic_ref<unsigned>(*ring_.sq.kflags).load(relaxed) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }
  bool supports(unsigned opcode) const noexcept { return opcode < 256 && supported_[opcode]; }

  Hub& hub_;
  const int event_;
  // Of completions that are not of an operation.
  const std::uint64_t wake_up_ = 1;
  const std::uint64_t cancellation_ = 2;
  io_uring own_{};
  io_uring& ring_ = own_;
  bool made_ = false;
  bool supported_[256] = {};
  unsigned enter_flags_ = 0;   // for every call
  bool event_watched_ = false;
  Line waiting_;     // for an entry, where the kernel takes none
  Line to_cancel_;   // in the kernel; their cancellations wait for an entry
  Line cancelled_;   // in the kernel, which was told
  static constexpr Nanoseconds kLeastPause = 1'000'000;
  static constexpr Nanoseconds kMostPause = 100'000'000;
  Nanoseconds again_at_ = kNever;  // when it is told again: it did not find one
  Nanoseconds pause_ = kLeastPause;  // until then; doubles as long as some are left
  FixedTable buffers_{hub_, ring_, false};
  FixedTable files_{hub_, ring_, true};
};

}  // namespace weft::io::detail
