// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The few threads of a pool that make calls which block: names, and files where there is no ring.

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// Runs `Operation::call`, oldest first, on at most `kMost` threads, which start when they are
/// needed and sleep when they are not. Thread-safe.
class Helpers {
 public:
  static constexpr std::size_t kMost = 4;

  Helpers() = default;
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;
  ~Helpers() { stop(); }

  /// Ends the threads. Precondition: no operation is left.
  void stop() noexcept;

  /// Posts `op` to its hub when it is done, with kFinished. If no thread can be started, the caller
  /// runs it.
  void run(Operation& op) noexcept;
  /// \return true: it has not begun, and is the caller's again
  bool withdraw(Operation& op) noexcept;

 private:
  void work();
  void append(Operation& op) noexcept;
  void remove(Operation& op) noexcept;

  std::mutex mutex_;
  std::condition_variable filled_;
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
  std::size_t idle_ = 0;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weft::io::detail
