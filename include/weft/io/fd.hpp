// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// File descriptors, owned and borrowed.

#include <unistd.h>

#include <utility>

#include "weft/io/fixed_ref.hpp"

namespace weft::io {

/// Owns a file descriptor, and closes it. Move-only; not thread-safe.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Fd(std::move(other)).swap(*this);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  void swap(Fd& other) noexcept { std::swap(fd_, other.fd_); }
  int get() const noexcept { return fd_; }
  /// Gives the descriptor up: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  bool valid() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// A descriptor that somebody else closes, after the operation on it has ended.
class BorrowedFd {
 public:
  // Implicit: every operation takes an Fd as it is.
  BorrowedFd(const Fd& fd) noexcept : fd_(fd.get()) {}
  /// Of FixedFiles. \param fd an open descriptor \param slot its number in the tables of those rings that
  /// have registered it \param set what keeps it open
  BorrowedFd(int fd, int slot, detail::FixedSet& set) noexcept : fd_(fd), slot_(slot), set_(&set) {}
  int get() const noexcept { return fd_; }

  // For the operations.
  int slot() const noexcept { return slot_; }
  detail::FixedSet* set() const noexcept { return set_; }

 private:
  friend BorrowedFd borrow(int fd) noexcept;
  struct Number {
    int fd;
  };
  explicit BorrowedFd(Number number) noexcept : fd_(number.fd) {}

  int fd_;
  int slot_ = -1;
  detail::FixedSet* set_ = nullptr;
};

/// For an operation on a plain descriptor: `io::read(io::borrow(0), buffer)`. AT_FDCWD is one too.
inline BorrowedFd borrow(int fd) noexcept { return BorrowedFd(BorrowedFd::Number{fd}); }

}  // namespace weft::io
