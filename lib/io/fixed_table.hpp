// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The registered buffers, or the registered files, of one ring.

#include <liburing.h>

#include <cstdint>
#include <vector>

#include "io/fixed_set.hpp"

namespace weft::io::detail {

/// Made with the first set that is used. All of it belongs to the thread of the ring's hub.
class FixedTable {
 public:
  FixedTable(Hub& hub, io_uring& ring, bool of_files) noexcept
      : hub_(hub), ring_(ring), of_files_(of_files) {}
  FixedTable(const FixedTable&) = delete;
  FixedTable& operator=(const FixedTable&) = delete;
  /// To be called before the ring goes. Precondition: nothing is in flight.
  void leave_all() noexcept;

  /// True if the ring has that set, from now on at least. It is asked once.
  bool has(FixedSet& set) noexcept {
    const std::uint32_t number = set.first();
    if (number < sets_.size() && sets_[number] != nullptr) return sets_[number]->usable;
    return add(set);
  }
  /// Its set is no longer used.
  void leave(Registration& one) noexcept;

 private:
  enum class State : std::uint8_t { kNone, kMade, kRefused };

  bool add(FixedSet& set) noexcept;
  bool make() noexcept;
  bool enter(FixedSet& set) noexcept;
  void clear(FixedSet& set) noexcept;

  Hub& hub_;
  io_uring& ring_;
  const bool of_files_;
  State state_ = State::kNone;
  std::vector<Registration*> sets_;  // by their first number
};

}  // namespace weft::io::detail
