// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Operations on a ring that the program drives itself.

#include <cstdint>
#include <memory>

#include "weft/io/awaitable.hpp"

struct io_uring;  // of liburing

namespace weft::io {

/// Adopts a ring of the program's own, beside what the program does with it, so that tasks of any pool
/// await operations on it: `co_await io::read(fd, buffer).on(reactor)`. The program drives it:
///
///     io::Reactor reactor{ring};
///     for (;;) {
///       reactor.submit();                    // also what the program has prepared
///       io_uring_cqe* cqe = nullptr;
///       io_uring_wait_cqe(&ring, &cqe);      // a task that starts something wakes it
///       if (!reactor.dispatch(*cqe)) ...;    // one of the program's
///       io_uring_cqe_seen(&ring, cqe);
///     }
///
/// All members belong to the thread that drives the ring. Whatever cancels operations, such as the end of a
/// pool, does so with the next submit(): that thread must not wait for it.
class Reactor {
 public:
  /// The ring must outlive it. \throws std::system_error, also where weft is built without liburing
  WEFT_API explicit Reactor(io_uring& ring);
  /// Precondition: idle().
  WEFT_API ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Starts and cancels what tasks have asked for, and submits. To be called before each wait.
  WEFT_API void submit() noexcept;
  /// \return false: it is not a completion of ours
  WEFT_API bool dispatch(const io_uring_cqe& cqe) noexcept;
  bool dispatch(const io_uring_cqe* cqe) noexcept { return dispatch(*cqe); }

  /// True if no operation of a task is under way, as far as submit() and dispatch() have seen.
  WEFT_API bool idle() const noexcept;

  /// The upper 48 bits of `user_data` of the reactor's own requests, by which it is woken. Their last
  /// completions may come after its end, and are to be ignored then.
  static constexpr std::uint64_t kUserData = 0xFFFF'7765'6674'0000;

 private:
  friend detail::Hub& detail::hub_of(Reactor& reactor) noexcept;
  std::unique_ptr<detail::Hub, void (*)(detail::Hub*)> hub_;
};

}  // namespace weft::io
