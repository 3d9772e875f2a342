// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// WEFT_WATCHDOG=seconds: a stuck pool explains itself on stderr.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "weft/detail/atomic.hpp"
#include "weft/detail/task_node.hpp"

namespace weft::detail {

struct PoolState;

/// The parked frames of a pool and what each awaits; only there when a watchdog is. A fixed hash
/// table with short probes: what finds no room is only counted.
struct ParkedFrames {
  void add(TaskNode* frame, TaskNode* awaited) noexcept;
  void remove(TaskNode* frame) noexcept;

  struct Entry {
    Atomic<TaskNode*> frame{nullptr};
    Atomic<TaskNode*> awaited{nullptr};
  };
  static constexpr std::size_t kEntries = std::size_t{1} << 14;
  static constexpr std::size_t kProbes = 32;
  Entry entries[kEntries];
  Atomic<std::uint64_t> unlisted{0};
};

/// Looks every `seconds` whether anything has moved, and prints the pool if not.
class Watchdog {
 public:
  /// \return nullptr unless WEFT_WATCHDOG is a positive number of seconds. Tells the workers to
  /// keep track of parked frames. \throws std::system_error if its thread cannot be started
  static std::unique_ptr<Watchdog> from_environment(PoolState& pool);
  ~Watchdog();

 private:
  Watchdog(PoolState& pool, int seconds);
  void watch();
  std::uint64_t progress() const noexcept;
  void print() const;

  PoolState& pool_;
  const int seconds_;
  Atomic<std::uint32_t> stop_{0};
  std::unique_ptr<ParkedFrames> parked_;
  std::thread thread_;
};

}  // namespace weft::detail
