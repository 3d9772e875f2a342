// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// A ring that somebody else made, submits and reaps.

#include <unordered_set>

#include "io/ring.hpp"

namespace weft::io::detail {

/// Completions come one by one, among others. `user_data` of ours are known by a set: whatever the
/// program uses, an operation that is in flight has an address of its own.
class AdoptedRing final : public Ring {
 public:
  AdoptedRing(Hub& hub, int event, io_uring& theirs) noexcept;
  ~AdoptedRing() override;

  void start(Operation& op) noexcept override;
  bool start_linked(std::span<Operation* const> parts) noexcept override;
  bool cancel(Operation& op) noexcept override;

  void submit(Nanoseconds deadline) noexcept override;
  bool dispatch(const io_uring_cqe& cqe) noexcept override;

 private:
  void enter(unsigned, Nanoseconds) noexcept override { io_uring_submit(&ring_); }
  void reap() noexcept override {}
  void wake_at(Nanoseconds at) noexcept;
  bool learn(std::span<Operation* const> ops) noexcept;

  std::unordered_set<std::uint64_t> known_;
  Nanoseconds wakes_at_ = kNever;
  __kernel_timespec time_left_{};
};

}  // namespace weft::io::detail
