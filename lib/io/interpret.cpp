// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/interpret.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace weft::io::detail {

namespace {

// Of Operation::driver_state.
constexpr std::uint8_t kConnecting = 1;

template <class T>
T* pointer(std::uint64_t address) noexcept {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(address));
}

std::int32_t result_of_call(ssize_t returned) noexcept {
  return returned < 0 ? -errno : static_cast<std::int32_t>(returned);
}

bool is_ready(int fd, short events) noexcept {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return ::poll(&one, 1, 0) != 0;
}

// \return true if it was not yet
bool set_nonblocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return false;
  return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void set_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

std::int32_t wait_for(Operation& op, int fd, std::uint32_t events) noexcept {
  op.driver_fd = fd;
  op.driver_events = events;
  return -EAGAIN;
}

std::int32_t wait_if_again(Operation& op, std::uint32_t events, ssize_t returned) noexcept {
  const std::int32_t result = result_of_call(returned);
  return result == -EAGAIN ? wait_for(op, op.sqe().fd, events) : result;
}

// What reads and writes have in common: the vector, maybe of one.
struct Vector {
  explicit Vector(const io_uring_sqe& sqe) noexcept
      : one{.iov_base = pointer<void>(sqe.addr), .iov_len = sqe.len},
        writes(sqe.opcode == IORING_OP_WRITE || sqe.opcode == IORING_OP_WRITEV) {
    if (sqe.opcode == IORING_OP_READV || sqe.opcode == IORING_OP_WRITEV) {
      first = pointer<const iovec>(sqe.addr);
      count = static_cast<int>(sqe.len);
    }
  }
  ssize_t move(const io_uring_sqe& sqe, int flags) const noexcept {
    const ssize_t moved = move_at(sqe, static_cast<off_t>(sqe.off), flags);
    // As io_uring does: what has no position ignores the offset.
    return moved < 0 && errno == ESPIPE ? move_at(sqe, -1, flags) : moved;
  }
  ssize_t move_at(const io_uring_sqe& sqe, off_t offset, int flags) const noexcept {
    return writes ? ::pwritev2(sqe.fd, first, count, offset, flags)
                  : ::preadv2(sqe.fd, first, count, offset, flags);
  }
  const iovec one;
  const bool writes;
  const iovec* first = &one;
  int count = 1;
};

std::int32_t try_move(Operation& op) noexcept {
  const Vector vector(op.sqe());
  const std::uint32_t events = vector.writes ? EPOLLOUT : EPOLLIN;
  std::int32_t result = result_of_call(vector.move(op.sqe(), RWF_NOWAIT));
  if (result == -EOPNOTSUPP) {  // a terminal, say: ask first
    if (!is_ready(op.sqe().fd, vector.writes ? POLLOUT : POLLIN)) {
      return wait_for(op, op.sqe().fd, events);
    }
    result = result_of_call(vector.move(op.sqe(), 0));
  }
  return result == -EAGAIN ? wait_for(op, op.sqe().fd, events) : result;
}

std::int32_t try_receive(Operation& op) noexcept {
  io_uring_sqe& sqe = op.sqe();
  for (;;) {
    const std::int32_t result = result_of_call(::recv(
        sqe.fd, pointer<void>(sqe.addr), sqe.len, static_cast<int>(sqe.msg_flags) | MSG_DONTWAIT));
    if ((sqe.msg_flags & MSG_WAITALL) == 0 || (sqe.msg_flags & MSG_DONTWAIT) != 0) {
      const bool may_wait = (sqe.msg_flags & MSG_DONTWAIT) == 0;
      return result == -EAGAIN && may_wait ? wait_for(op, sqe.fd, EPOLLIN) : result;
    }
    if (result == -EAGAIN) return wait_for(op, sqe.fd, EPOLLIN);
    if (result <= 0) return op.done_bytes != 0 ? static_cast<std::int32_t>(op.done_bytes) : result;
    op.done_bytes += static_cast<std::uint32_t>(result);
    sqe.addr += static_cast<std::uint32_t>(result);
    sqe.len -= static_cast<std::uint32_t>(result);
    if (sqe.len == 0) return static_cast<std::int32_t>(op.done_bytes);
  }
}

std::int32_t try_connect(Operation& op) noexcept {
  const io_uring_sqe& sqe = op.sqe();
  if (op.driver_state == kConnecting) {
    if (!is_ready(sqe.fd, POLLOUT)) return wait_for(op, sqe.fd, EPOLLOUT);
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(sqe.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 ? -errno : -error;
  }
  const bool blocked = set_nonblocking(sqe.fd);
  const std::int32_t result = result_of_call(
      ::connect(sqe.fd, pointer<const sockaddr>(sqe.addr), static_cast<socklen_t>(sqe.off)));
  if (blocked) set_blocking(sqe.fd);
  if (result != -EINPROGRESS) return result;  // -EAGAIN of a local socket: nothing would tell
  op.driver_state = kConnecting;
  return wait_for(op, sqe.fd, EPOLLOUT);
}

std::int32_t try_splice(Operation& op) noexcept {
  const io_uring_sqe& sqe = op.sqe();
  const int from = sqe.splice_fd_in;
  const bool waits = (sqe.splice_flags & SPLICE_F_NONBLOCK) == 0;
  if (waits && !is_ready(from, POLLIN)) return wait_for(op, from, EPOLLIN);
  if (waits && !is_ready(sqe.fd, POLLOUT)) return wait_for(op, sqe.fd, EPOLLOUT);
  const unsigned flags = sqe.splice_flags | SPLICE_F_NONBLOCK;
  ssize_t moved = 0;
  if (sqe.opcode == IORING_OP_TEE) {
    moved = ::tee(from, sqe.fd, sqe.len, flags);
  } else {
    constexpr auto kNone = ~std::uint64_t{0};
    auto from_offset = static_cast<loff_t>(sqe.splice_off_in);
    auto to_offset = static_cast<loff_t>(sqe.off);
    // The flag is for pipes: into a socket with too little room splice would block all the same.
    const bool blocked = set_nonblocking(sqe.fd);
    moved = ::splice(from, sqe.splice_off_in == kNone ? nullptr : &from_offset, sqe.fd,
                     sqe.off == kNone ? nullptr : &to_offset, sqe.len, flags);
    const int error = errno;
    if (blocked) set_blocking(sqe.fd);
    errno = error;
  }
  const std::int32_t result = result_of_call(moved);
  if (result != -EAGAIN || !waits) return result;
  const bool full = is_ready(from, POLLIN);
  return wait_for(op, full ? sqe.fd : from, full ? EPOLLOUT : EPOLLIN);
}

std::int32_t try_poll(Operation& op) noexcept {
  std::uint32_t events = op.sqe().poll32_events;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  events = (events << 16) | (events >> 16);
#endif
  pollfd one{.fd = op.sqe().fd, .events = static_cast<short>(events), .revents = 0};
  const int ready = ::poll(&one, 1, 0);
  if (ready < 0) return -errno;
  if ((one.revents & POLLNVAL) != 0) return -EBADF;
  // The numbers of epoll's events are those of poll's.
  return ready != 0 ? one.revents : wait_for(op, op.sqe().fd, events);
}

}  // namespace

bool blocks(const Operation& op) noexcept {
  switch (op.sqe().opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV: {
      struct stat status;
      return ::fstat(op.sqe().fd, &status) == 0 &&
             (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
    }
    case IORING_OP_OPENAT:
    case IORING_OP_CLOSE:
    case IORING_OP_FSYNC:
    case IORING_OP_FALLOCATE:
    case IORING_OP_STATX:
    case IORING_OP_UNLINKAT:
    case IORING_OP_RENAMEAT:
    case IORING_OP_MKDIRAT: return true;
    default: return false;
  }
}

std::int32_t try_now(Operation& op) noexcept {
  const io_uring_sqe& sqe = op.sqe();
  const int flags = static_cast<int>(sqe.msg_flags);
  op.driver_events = 0;
  switch (sqe.opcode) {
    case IORING_OP_NOP: return 0;
    case IORING_OP_POLL_ADD: return try_poll(op);
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV: return try_move(op);
    case IORING_OP_RECV: return try_receive(op);
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC: {
      const ssize_t sent =
          ::send(sqe.fd, pointer<const void>(sqe.addr), sqe.len, flags | MSG_DONTWAIT);
      return (flags & MSG_DONTWAIT) != 0 ? result_of_call(sent) : wait_if_again(op, EPOLLOUT, sent);
    }
    case IORING_OP_RECVMSG: {
      const ssize_t got = ::recvmsg(sqe.fd, pointer<msghdr>(sqe.addr), flags | MSG_DONTWAIT);
      return (flags & MSG_DONTWAIT) != 0 ? result_of_call(got) : wait_if_again(op, EPOLLIN, got);
    }
    case IORING_OP_SENDMSG: {
      const ssize_t sent = ::sendmsg(sqe.fd, pointer<const msghdr>(sqe.addr), flags | MSG_DONTWAIT);
      return (flags & MSG_DONTWAIT) != 0 ? result_of_call(sent) : wait_if_again(op, EPOLLOUT, sent);
    }
    case IORING_OP_ACCEPT: {
      // For good: another thread may accept what we saw, and then we must not wait here.
      (void)set_nonblocking(sqe.fd);
      const int accepted = ::accept4(sqe.fd, pointer<sockaddr>(sqe.addr),
                                     pointer<socklen_t>(sqe.addr2),
                                     static_cast<int>(sqe.accept_flags));
      return wait_if_again(op, EPOLLIN, accepted);
    }
    case IORING_OP_CONNECT: return try_connect(op);
    case IORING_OP_SHUTDOWN: return result_of_call(::shutdown(sqe.fd, static_cast<int>(sqe.len)));
    case IORING_OP_SPLICE:
    case IORING_OP_TEE: return try_splice(op);
    default: return -ENOSYS;
  }
}

std::int32_t run_blocking(Operation& op) noexcept {
  const io_uring_sqe& sqe = op.sqe();
  const char* const path = pointer<const char>(sqe.addr);
  switch (sqe.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV: return result_of_call(Vector(sqe).move(sqe, 0));
    case IORING_OP_CONNECT:
      return result_of_call(
          ::connect(sqe.fd, pointer<const sockaddr>(sqe.addr), static_cast<socklen_t>(sqe.off)));
    case IORING_OP_OPENAT:
      return result_of_call(::openat(sqe.fd, path, static_cast<int>(sqe.open_flags), sqe.len));
    case IORING_OP_CLOSE: return result_of_call(::close(sqe.fd));
    case IORING_OP_FSYNC:
      return result_of_call((sqe.fsync_flags & IORING_FSYNC_DATASYNC) != 0 ? ::fdatasync(sqe.fd)
                                                                           : ::fsync(sqe.fd));
    case IORING_OP_FALLOCATE:
      return result_of_call(::fallocate(sqe.fd, static_cast<int>(sqe.len),
                                        static_cast<off_t>(sqe.off),
                                        static_cast<off_t>(sqe.addr)));
    case IORING_OP_STATX:
      return result_of_call(::statx(sqe.fd, path, static_cast<int>(sqe.statx_flags), sqe.len,
                                    pointer<struct ::statx>(sqe.addr2)));
    case IORING_OP_UNLINKAT:
      return result_of_call(::unlinkat(sqe.fd, path, static_cast<int>(sqe.unlink_flags)));
    case IORING_OP_RENAMEAT:
      return result_of_call(::renameat2(sqe.fd, path, static_cast<int>(sqe.len),
                                        pointer<const char>(sqe.addr2), sqe.rename_flags));
    case IORING_OP_MKDIRAT: return result_of_call(::mkdirat(sqe.fd, path, sqe.len));
    default: return -ENOSYS;
  }
}

}  // namespace weft::io::detail
