// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Waiting for readiness, doing nothing, and any other opcode.

#include <poll.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "weft/io/awaitable.hpp"

namespace weft::io {

namespace detail {

class Nop : public Awaitable<Nop, void> {
 public:
  Nop() noexcept { entry(IORING_OP_NOP, -1); }
};

/// The value is the completion's.
class Raw : public Awaitable<Raw, int> {
 public:
  Raw() noexcept = default;
  Raw(BorrowedFd fd, std::uint32_t events) noexcept {
    entry(IORING_OP_POLL_ADD, fd);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = (events << 16) | (events >> 16);
#endif
    sqe().poll32_events = events;
  }
};

}  // namespace detail

/// Waits until the descriptor is ready for one of the events of poll(2): POLLIN, POLLOUT, ...
/// \return which of them, or POLLERR, POLLHUP
inline auto poll(BorrowedFd fd, unsigned events) noexcept { return detail::Raw(fd, events); }

/// Does nothing, by way of the kernel.
inline auto nop() noexcept { return detail::Nop(); }

/// Any operation of io_uring: `prepare(io_uring_sqe&)` fills a zeroed entry, all but `user_data`,
/// and without IOSQE_IO_LINK and multishot flags. What it points to must stay. \return the
/// completion's `res`. On epoll: std::errc::function_not_supported for what weft itself has no
/// operation for.
template <class Prepare>
auto raw(Prepare&& prepare) {
  detail::Raw op;
  std::forward<Prepare>(prepare)(op.sqe());
  return op;
}

/// What operations run on in this process: "io_uring" or "epoll".
WEFT_API std::string_view backend() noexcept;

}  // namespace weft::io
