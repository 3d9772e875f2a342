// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How a helper is got out of a call that waits for somebody: open(2) of a FIFO without a peer, of a
/// device, connect(2) to a full queue. Only where there is no ring. `docs/design/io.md`.

#include <sys/types.h>

#include <ctime>

namespace weft::io::detail {

/// Of one thread. A signal ends what it waits in, with EINTR. One that comes just before the thread waits
/// is lost, so it is sent again each millisecond until the call has ended.
///
/// The signal is the highest real-time signal without a handler, and gets an empty one for as long as the
/// process lives. If there is none, nothing is interrupted.
class Interruption {
 public:
  Interruption() = default;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() { end(); }

  /// The calling thread can be interrupted from now on, whatever signals it has blocked.
  void bind_to_this_thread() noexcept;

  // One thread at a time:
  /// Of a thread that has called the above. Nothing, if it is being interrupted.
  void begin() noexcept;
  /// Its call has ended.
  void end() noexcept;

 private:
  pid_t thread_ = 0;
  bool begun_ = false;
  timer_t timer_{};
};

}  // namespace weft::io::detail
