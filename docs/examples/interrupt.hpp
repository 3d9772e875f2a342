// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Ctrl-C for the servers among the examples.
#pragma once

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <stop_token>

#include <sys/eventfd.h>
#include <unistd.h>

/// Turns SIGINT and SIGTERM into a stop token. One per program.
class Interrupt {
 public:
  Interrupt() {
    if (event < 0) event = ::eventfd(0, EFD_CLOEXEC);
    struct sigaction action {};
    action.sa_handler = [](int) {
      const int saved = errno;
      const std::uint64_t one = 1;
      (void)!::write(event, &one, sizeof one);  // all that a handler may do to wake a task
      errno = saved;
    };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, &old_interrupt_);
    ::sigaction(SIGTERM, &action, &old_terminate_);
    // A client that has gone is an error of the operation (splice would raise this one).
    ::signal(SIGPIPE, SIG_IGN);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt() {
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_terminate_, nullptr);
  }

  /// Ends with the first signal. Spawn it; a dropped Flowvar ends it as well.
  weft::Task<> wait() {
    std::array<std::byte, sizeof(std::uint64_t)> count;
    if (co_await weft::io::read(weft::io::borrow(event), count)) stop_.request_stop();
  }

  std::stop_token token() const { return stop_.get_token(); }

 private:
  // Never closed: a handler that has begun may write at any time, also when this is gone.
  static inline volatile std::sig_atomic_t event = -1;

  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
  std::stop_source stop_;
};
