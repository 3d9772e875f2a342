// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Reading and writing, on anything that has a descriptor.
///
/// Buffers must stay until the operation has ended; the frame that awaits it is suspended as long.
/// An operation may move fewer bytes than asked for; those called `..._all` go on.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/io/awaitable.hpp"

namespace weft::io {

/// In place of an offset: the file's own position, which the operation moves on. For what has no
/// position (sockets, pipes) too.
inline constexpr std::uint64_t kOwnPosition = ~std::uint64_t{0};

namespace detail {

/// Moves bytes once. The value: how many.
class Transfer : public Awaitable<Transfer, std::size_t> {
 public:
  Transfer(std::uint8_t opcode, BorrowedFd fd, const void* address, std::size_t length,
           std::uint64_t offset) noexcept {
    entry(opcode, fd, address, length, offset);
  }
};

/// Moves bytes until all are, or there are no more. The value: how many.
class TransferAll : public Awaitable<TransferAll, std::size_t> {
 public:
  TransferAll(std::uint8_t opcode, BorrowedFd fd, const void* address, std::size_t length,
              std::uint64_t offset) noexcept
      : length_(length) {
    entry(opcode, fd, address, length, offset);
    step = [](Operation& op) noexcept { return static_cast<TransferAll&>(op).advance(); };
  }

  Result<std::size_t> await_resume() {
    if (result < 0) return error_of(result);
    return static_cast<std::size_t>(done_bytes);
  }

 private:
  bool advance() noexcept {
    if (result < 0) return false;
    const auto moved = static_cast<std::uint32_t>(result);
    done_bytes += moved;
    if (moved == 0 || done_bytes >= length_) return false;
    sqe().addr += moved;
    if (sqe().off != kOwnPosition && sqe().opcode != IORING_OP_SEND) sqe().off += moved;
    sqe().len = clamped(length_ - done_bytes);
    return true;
  }

  std::size_t length_;
};

/// Splices or tees. The value: how many bytes.
class Splice : public Awaitable<Splice, std::size_t> {
 public:
  Splice(std::uint8_t opcode, BorrowedFd from, std::uint64_t from_offset, BorrowedFd to,
         std::uint64_t to_offset, std::size_t length, unsigned flags) noexcept {
    entry(opcode, to, nullptr, length, to_offset);
    sqe().splice_off_in = from_offset;
    sqe().splice_fd_in = from.get();
    sqe().splice_flags = flags;
    keep(from.set());
  }
};

}  // namespace detail

/// As read(2), or pread(2) with an offset. \return bytes read; 0: the end
inline auto read(BorrowedFd fd, std::span<std::byte> buffer,
                 std::uint64_t offset = kOwnPosition) noexcept {
  return detail::Transfer(IORING_OP_READ, fd, buffer.data(), buffer.size(), offset);
}

/// As write(2), or pwrite(2) with an offset. \return bytes written
inline auto write(BorrowedFd fd, std::span<const std::byte> buffer,
                  std::uint64_t offset = kOwnPosition) noexcept {
  return detail::Transfer(IORING_OP_WRITE, fd, buffer.data(), buffer.size(), offset);
}

/// Reads until the buffer is full or the end has come. \return bytes read. After an error, what was
/// read until then is in the buffer, but its length is not told.
inline auto read_all(BorrowedFd fd, std::span<std::byte> buffer,
                     std::uint64_t offset = kOwnPosition) noexcept {
  return detail::TransferAll(IORING_OP_READ, fd, buffer.data(), buffer.size(), offset);
}

/// Writes all of the buffer. \return its size
inline auto write_all(BorrowedFd fd, std::span<const std::byte> buffer,
                      std::uint64_t offset = kOwnPosition) noexcept {
  return detail::TransferAll(IORING_OP_WRITE, fd, buffer.data(), buffer.size(), offset);
}

/// As readv(2), or preadv(2). The array must stay, as the buffers. \return bytes read
inline auto readv(BorrowedFd fd, std::span<const iovec> buffers,
                  std::uint64_t offset = kOwnPosition) noexcept {
  return detail::Transfer(IORING_OP_READV, fd, buffers.data(), buffers.size(), offset);
}

/// As writev(2), or pwritev(2). The array must stay, as the buffers. \return bytes written
inline auto writev(BorrowedFd fd, std::span<const iovec> buffers,
                   std::uint64_t offset = kOwnPosition) noexcept {
  return detail::Transfer(IORING_OP_WRITEV, fd, buffers.data(), buffers.size(), offset);
}

/// As splice(2): moves bytes, one end being a pipe. Waits for both ends, also if they have O_NONBLOCK;
/// not with SPLICE_F_NONBLOCK. \return how many; 0: the end
inline auto splice(BorrowedFd from, std::uint64_t from_offset, BorrowedFd to,
                   std::uint64_t to_offset, std::size_t length, unsigned flags = 0) noexcept {
  return detail::Splice(IORING_OP_SPLICE, from, from_offset, to, to_offset, length, flags);
}
inline auto splice(BorrowedFd from, BorrowedFd to, std::size_t length,
                   unsigned flags = 0) noexcept {
  return splice(from, kOwnPosition, to, kOwnPosition, length, flags);
}

/// As tee(2): copies bytes from pipe to pipe, and leaves them in the first. \return how many
inline auto tee(BorrowedFd from, BorrowedFd to, std::size_t length, unsigned flags = 0) noexcept {
  return detail::Splice(IORING_OP_TEE, from, 0, to, 0, length, flags);
}

}  // namespace weft::io
