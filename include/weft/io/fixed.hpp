// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Buffers and files that the kernel has looked up once, not with every operation.
///
///     const io::FixedBuffers buffers(64, 4096);
///     const int numbers[] = {file.get(), socket.get()};
///     const io::FixedFiles files(numbers);
///     (co_await io::read(files[0], buffers[0], 0)).value();
///
/// Each thread of a pool registers them with its ring when it first uses them, and locks the memory once more.
/// Where it cannot (on epoll, on a kernel before Linux 5.19, on a Reactor, for want of memory that may be
/// locked), the same operations go on the same memory and the same files, as ordinary ones.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "weft/io/data.hpp"
#include "weft/io/fixed_ref.hpp"
#include "weft/io/sockets.hpp"

namespace weft::io {

/// A buffer of FixedBuffers, or a part of one; as cheap to copy as a span. It does not keep the memory;
/// an operation that was made with it does.
class FixedBuffer {
 public:
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  /// For everything else. An operation with this is an ordinary one, and does not keep the memory.
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  /// The first `count` bytes. Precondition: there are as many.
  FixedBuffer first(std::size_t count) const noexcept { return {*set_, data_, count}; }
  /// Those from `offset` on. Precondition: it is not larger than size().
  FixedBuffer subspan(std::size_t offset) const noexcept {
    return {*set_, data_ + offset, size_ - offset};
  }
  /// `count` bytes from `offset` on. Precondition: there are as many.
  FixedBuffer subspan(std::size_t offset, std::size_t count) const noexcept {
    return {*set_, data_ + offset, count};
  }

  /// For the operations.
  detail::FixedSet* set() const noexcept { return set_; }

 private:
  friend class FixedBuffers;
  FixedBuffer(detail::FixedSet& set, std::byte* data, std::size_t size) noexcept
      : set_(&set), data_(data), size_(size) {}

  detail::FixedSet* set_;
  std::byte* data_;
  std::size_t size_;
};

/// Memory for `read`, `write`, `read_all`, `write_all`, `recv`, `send`, `send_all` and `send_zc`, which the
/// kernel maps once. Used by tasks on any thread of any pool. Move-only.
///
/// If it is destroyed while an operation uses it, the memory stays until that has ended.
class FixedBuffers {
 public:
  /// All zero, one after the other, the first one at the start of a page. \param count of buffers
  /// \param bytes of each
  /// \throws std::invalid_argument if one is zero or both together are more than 1 GiB
  /// \throws std::system_error with std::errc::not_enough_memory if the kernel refuses to lock as much
  /// (RLIMIT_MEMLOCK), with std::errc::too_many_files_open if 1,024 others exist \throws std::bad_alloc
  WEFT_API FixedBuffers(std::size_t count, std::size_t bytes);
  FixedBuffers(FixedBuffers&& other) noexcept
      : set_(std::exchange(other.set_, nullptr)),
        data_(other.data_),
        count_(std::exchange(other.count_, 0)),
        bytes_(other.bytes_) {}
  FixedBuffers& operator=(FixedBuffers&& other) noexcept {
    FixedBuffers old(std::move(other));
    std::swap(set_, old.set_);
    std::swap(data_, old.data_);
    std::swap(count_, old.count_);
    std::swap(bytes_, old.bytes_);
    return *this;
  }
  FixedBuffers(const FixedBuffers&) = delete;
  FixedBuffers& operator=(const FixedBuffers&) = delete;
  ~FixedBuffers() {
    if (set_ != nullptr) detail::let_set_go(*set_);
  }

  /// Precondition: `index` is less than size().
  FixedBuffer operator[](std::size_t index) const noexcept {
    return {*set_, data_ + index * bytes_, bytes_};
  }
  /// How many.
  std::size_t size() const noexcept { return count_; }
  /// Of each.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  detail::FixedSet* set_;
  std::byte* data_ = nullptr;
  std::size_t count_;
  std::size_t bytes_;
};

/// Open files, sockets, pipes that the kernel need not look up: `files[i]` is accepted where an Fd is. Used
/// by tasks on any thread of any pool. Move-only.
///
/// It has descriptors of its own, so yours may be closed meanwhile. If it is destroyed while an operation
/// uses one of its files, that stays open until the operation has ended.
class FixedFiles {
 public:
  /// \param files open descriptors
  /// \throws std::invalid_argument if there is none, or more than 16,384 \throws std::system_error with
  /// std::errc::bad_file_descriptor if one is not open, with std::errc::too_many_files_open if that many
  /// more descriptors exceed RLIMIT_NOFILE, or exceed 16,384 in all FixedFiles \throws std::bad_alloc
  WEFT_API explicit FixedFiles(std::span<const int> files);
  FixedFiles(FixedFiles&& other) noexcept
      : set_(std::exchange(other.set_, nullptr)),
        fds_(std::exchange(other.fds_, {})),
        first_(other.first_) {}
  FixedFiles& operator=(FixedFiles&& other) noexcept {
    FixedFiles old(std::move(other));
    std::swap(set_, old.set_);
    std::swap(fds_, old.fds_);
    std::swap(first_, old.first_);
    return *this;
  }
  FixedFiles(const FixedFiles&) = delete;
  FixedFiles& operator=(const FixedFiles&) = delete;
  ~FixedFiles() {
    if (set_ != nullptr) detail::let_set_go(*set_);
  }

  /// Precondition: `index` is less than size().
  BorrowedFd operator[](std::size_t index) const noexcept {
    return {fds_[index], first_ + static_cast<int>(index), *set_};
  }
  /// How many.
  std::size_t size() const noexcept { return fds_.size(); }

 private:
  detail::FixedSet* set_;
  std::span<const int> fds_;
  int first_ = 0;
};

namespace detail {

/// An operation on a buffer that it keeps.
template <class Op>
Op with(FixedBuffer buffer, Op op) noexcept {
  op.keep(buffer.set());
  return op;
}

}  // namespace detail

/// As those with a span.
inline auto read(BorrowedFd fd, FixedBuffer buffer, std::uint64_t offset = kOwnPosition) noexcept {
  return detail::with(buffer, read(fd, buffer.bytes(), offset));
}
inline auto write(BorrowedFd fd, FixedBuffer buffer, std::uint64_t offset = kOwnPosition) noexcept {
  return detail::with(buffer, write(fd, buffer.bytes(), offset));
}
inline auto read_all(BorrowedFd fd, FixedBuffer buffer,
                     std::uint64_t offset = kOwnPosition) noexcept {
  return detail::with(buffer, read_all(fd, buffer.bytes(), offset));
}
inline auto write_all(BorrowedFd fd, FixedBuffer buffer,
                      std::uint64_t offset = kOwnPosition) noexcept {
  return detail::with(buffer, write_all(fd, buffer.bytes(), offset));
}

/// As those with a span. Of these four the kernel uses the registration for `send_zc` only.
inline auto recv(BorrowedFd fd, FixedBuffer buffer, int flags = 0) noexcept {
  return detail::with(buffer, recv(fd, buffer.bytes(), flags));
}
inline auto send(BorrowedFd fd, FixedBuffer buffer, int flags = 0) noexcept {
  return detail::with(buffer, send(fd, buffer.bytes(), flags));
}
inline auto send_all(BorrowedFd fd, FixedBuffer buffer, int flags = 0) noexcept {
  return detail::with(buffer, send_all(fd, buffer.bytes(), flags));
}
inline auto send_zc(BorrowedFd fd, FixedBuffer buffer, int flags = 0) noexcept {
  return detail::with(buffer, send_zc(fd, buffer.bytes(), flags));
}

}  // namespace weft::io
