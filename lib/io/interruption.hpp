// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How a helper is got out of a call that waits for somebody: open(2) of a FIFO without a peer, of a
/// device, connect(2) to a full queue. Only where there is no ring. `docs/design/io.md`.

#include <ctime>

namespace weft::io::detail {

/// Of one thread. A signal ends what it waits in, with EINTR. One that comes just before the thread waits
/// is lost, so it is sent again each millisecond until the call has ended.
///
/// The signal is the highest real-time signal without a handler, of those that the first helper has not
/// blocked if there is one. It gets an empty handler for as long as the process lives. If there is no
/// signal, or no timer (RLIMIT_SIGPENDING), nothing is interrupted.
class Interruption {
 public:
  Interruption() = default;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  // That thread:
  /// Before the call, which can be interrupted, whatever signals the program has blocked.
  void enter() noexcept;
  /// After it.
  void leave() noexcept;

  /// Any thread, between the two; one at a time with `leave`. Nothing, the second time.
  void begin() noexcept;

 private:
  bool has_timer_ = false;
  bool begun_ = false;
  timer_t timer_{};
};

}  // namespace weft::io::detail
