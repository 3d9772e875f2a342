// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The few threads of a pool that make calls which block: names, and files where there is no ring.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#include "io/interruption.hpp"
#include "io/line.hpp"
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
  /// If it has begun, and waits for somebody, its call ends with EINTR.
  /// \return true: it has not begun, and is the caller's again
  bool cancel(Operation& op) noexcept;

 private:
  struct Helper {
    std::thread thread;
    Operation* running = nullptr;
    Interruption interruption;
  };
  void work(Helper& self);
  void append(Operation& op) noexcept;
  void remove(Operation& op) noexcept;

  std::mutex mutex_;
  std::condition_variable filled_;
  Line waiting_;
  std::size_t idle_ = 0;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::array<Helper, kMost> helpers_;
  std::size_t num_helpers_ = 0;
};

}  // namespace weft::io::detail
