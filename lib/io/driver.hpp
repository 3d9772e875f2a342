// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What a hub asks of the thing that runs operations: a ring, or epoll.

#include <cerrno>
#include <memory>
#include <span>

#include "weft/io/operation.hpp"

struct io_uring;

namespace weft::io::detail {

class Hub;
class Registration;

/// Belongs to one thread, as its hub does: nothing here is thread-safe. Completions are given to
/// `Hub::completed` (`Hub::progressed` if more are to come), from within `poll`, `wait` and `cancel`
/// only.
class Driver {
 public:
  virtual ~Driver() = default;

  /// Takes an operation of Kind::kEntry. It need not reach the kernel before the next `poll`.
  virtual void start(Operation& op) noexcept = 0;
  /// Takes several, each to begin when the one before has ended well. \return false: it cannot now, and
  /// none has begun
  virtual bool start_linked(std::span<Operation* const>) noexcept { return false; }
  /// Asks for its end. \return true: it has not begun, and is the caller's again; false: it will
  /// complete, or has
  virtual bool cancel(Operation& op) noexcept = 0;
  /// True if `poll` would find completions. Cheap, called between tasks.
  virtual bool ready() const noexcept = 0;
  /// True if `ready` knows.
  virtual bool tells() const noexcept = 0;
  /// True if operations wait for the next `poll` to reach the kernel.
  virtual bool unsubmitted() const noexcept = 0;
  /// Hands over what was started, and reports what has ended. Does not wait.
  /// \param submit false: `wait` comes next and hands it over, in the same system call
  virtual void poll(bool submit) noexcept = 0;
  /// The same, but waits for at most `timeout` (kNever: for ever) until something has ended, or the
  /// hub's event was signalled.
  virtual void wait(Nanoseconds timeout) noexcept = 0;

  // Of a ring that is the program's own:
  /// Has the program woken by then, and submits all. Nanoseconds of the steady clock.
  virtual void submit(Nanoseconds) noexcept {}
  /// \return false: it is not a completion of ours
  virtual bool dispatch(const io_uring_cqe&) noexcept { return false; }

  /// True if one entry can accept or receive many times.
  virtual bool multishot() const noexcept { return false; }
  /// Has the kernel choose buffers, from that ring of io_uring_buf. \return zero or an error number
  /// negated; -EEXIST: there is such a group
  virtual std::int32_t provide(void*, unsigned, std::uint16_t) noexcept { return -ENOSYS; }
  /// Nothing uses the group any more.
  virtual void stop_providing(std::uint16_t) noexcept {}
  /// Nothing uses that set any more.
  virtual void leave(Registration&) noexcept {}
};

/// \param event the eventfd that ends `wait` \return nullptr if there is no such thing here
std::unique_ptr<Driver> make_ring(Hub& hub, int event);
/// The program's own. \throws std::system_error
std::unique_ptr<Driver> adopt_ring(Hub& hub, int event, io_uring& theirs);
/// \throws std::system_error
std::unique_ptr<Driver> make_epoll(Hub& hub, int event);

/// True if this process is to use io_uring: compiled in, not refused, not told otherwise.
bool ring_usable() noexcept;

}  // namespace weft::io::detail
