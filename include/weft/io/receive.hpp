// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Receiving once, into a buffer that is chosen when there is something to receive.

#include <cstdint>

#include "weft/io/awaitable.hpp"
#include "weft/io/buffers.hpp"

namespace weft::io {

namespace detail {

/// How one operation receives into a buffer of a shelf: the kernel chooses it, or, where it cannot, we do
/// once there is data, so that here too a quiet connection holds none. For its hub, on its thread.
struct Receiver {
  /// What a completion says.
  enum class Outcome : std::uint8_t {
    kGot,     ///< that many bytes, in a buffer
    kEnd,     ///< nothing: the peer sends no more, or an empty datagram
    kAgain,   ///< to be started again, unless the operation is cancelled
    kFailed,
  };

  /// Writes the entry. \param many for as long as there are buffers
  /// \return false: there is none, and the shelf will start `op` again
  bool prepare(Operation& op, bool many) noexcept;
  /// Takes a completion. With kGot `op.result` and `op.completion_flags` tell length and buffer.
  Outcome take(Operation& op) noexcept;
  /// What was prepared is not started.
  void withdraw() noexcept;

  const int fd;
  const int flags;  ///< as of recv(2)
  Shelf* shelf = nullptr;
  std::int32_t buffer = -1;  ///< chosen by us: in which it receives now
  bool readable = false;     ///< there may be data
};

/// Of Kind::kReceive.
class Receive : public Awaitable<Receive, Lease> {
 public:
  WEFT_API Receive(BorrowedFd fd, Shelves& shelves, int flags) noexcept;

  Result<Lease> await_resume() noexcept {
    if (result < 0) return error_of(result);
    if (!has_buffer_) return Lease();
    return Lease(*receiver_.shelf, completion_flags >> IORING_CQE_BUFFER_SHIFT,
                 static_cast<std::size_t>(result));
  }

  // For its hub, on its thread.
  /// Also again, when a buffer is there.
  void begin() noexcept;
  /// After a completion. \return false: it is over, `result` is that of the operation
  bool goes_on() noexcept;
  /// \return true: it was waiting for a buffer
  bool stop_missing() noexcept;
  /// Last of all.
  void leave_shelf() noexcept;

 private:
  Receiver receiver_;
  Shelves* shelves_;
  bool missing_ = false;  // the shelf starts it again
  bool has_buffer_ = false;
};

}  // namespace detail

/// As recv(2), into a buffer of the pool, so that an operation that waits holds none. While all buffers are
/// out it waits for one to come back. The pool must outlive it. With MSG_DONTWAIT it does not wait for data;
/// MSG_WAITALL is ignored. Not on a Reactor: std::errc::operation_not_supported.
/// \return what was received; empty: the peer sends no more (or, of datagrams, sent an empty one)
inline auto recv(BorrowedFd socket, BufferPool& buffers, int flags = 0) noexcept {
  return detail::Receive(socket, buffers.shelves(), flags);
}

}  // namespace weft::io
