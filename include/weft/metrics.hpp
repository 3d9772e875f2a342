// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What the workers of a pool did so far.

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "weft/detail/config.hpp"

namespace weft {

/// Counters of one worker. They only grow; a snapshot taken while tasks run is not one moment.
struct WorkerMetrics {
  std::uint64_t tasks_spawned = 0;   ///< tasks that code on this worker spawned
  std::uint64_t tasks_executed = 0;  ///< spawned tasks that ended on this worker
  std::uint64_t steals = 0;          ///< successful visits to another worker's queue
  std::uint64_t steals_half = 0;     ///< of these, the ones that took up to half of it
  std::uint64_t leapfrogs = 0;       ///< of these, the ones from the thief of an awaited task
  std::uint64_t awaits_inline = 0;   ///< awaited tasks that ran nested in their awaiter
  std::uint64_t awaits_parked = 0;   ///< awaits that parked the frame
  std::uint64_t sleeps = 0;          ///< times it went to sleep for lack of work
  std::uint64_t wakes = 0;           ///< times it was woken from that
};

/// One entry per worker. Entry 0 also counts what threads outside the pool spawned; with
/// `caller_participates` and more than one worker, it is the outside thread that waits.
class Metrics : public std::vector<WorkerMetrics> {
 public:
  using std::vector<WorkerMetrics>::vector;
  WEFT_API WorkerMetrics total() const;
};

/// Prints a table: a row per worker and one of totals.
WEFT_API std::ostream& operator<<(std::ostream& out, const Metrics& metrics);

}  // namespace weft
