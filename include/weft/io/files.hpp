// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Operations on files and directories. Paths are copied; they are relative to `directory`, which
/// may be `io::borrow(AT_FDCWD)`.

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>

#include "weft/io/awaitable.hpp"

namespace weft::io {

namespace detail {

/// One path, or two.
template <class Derived, class T>
class PathOperation : public Awaitable<Derived, T> {
 public:
  void prepare() noexcept {
    this->point_to(path_.c_str());
    if (two_paths_) this->sqe().addr2 = reinterpret_cast<std::uintptr_t>(second_path_.c_str());
  }

 protected:
  explicit PathOperation(std::string path) noexcept : path_(std::move(path)) {}
  PathOperation(std::string path, std::string second_path) noexcept
      : path_(std::move(path)), second_path_(std::move(second_path)), two_paths_(true) {}

  /// By its own number: io_uring looks paths up in no other way.
  void in(std::uint8_t opcode, BorrowedFd directory, std::uint32_t length) noexcept {
    this->entry(opcode, directory.get());
    this->sqe().len = length;
    if (directory.set() != nullptr) this->with_extras().file_set = FixedRef(directory.set());
  }

 private:
  std::string path_;
  std::string second_path_;
  bool two_paths_ = false;
};

class Open : public PathOperation<Open, Fd> {
 public:
  Open(BorrowedFd directory, std::string path, int flags, mode_t mode) noexcept
      : PathOperation(std::move(path)) {
    in(IORING_OP_OPENAT, directory, mode);
    sqe().open_flags = static_cast<std::uint32_t>(flags);
  }
};

class Stat : public PathOperation<Stat, struct ::statx> {
 public:
  Stat(BorrowedFd directory, std::string path, int flags, unsigned mask) noexcept
      : PathOperation(std::move(path)) {
    in(IORING_OP_STATX, directory, mask);
    sqe().statx_flags = static_cast<std::uint32_t>(flags);
  }
  void prepare() noexcept {
    PathOperation::prepare();
    sqe().addr2 = reinterpret_cast<std::uintptr_t>(&stat_);
  }
  Result<struct ::statx> await_resume() {
    if (result < 0) return error_of(result);
    return stat_;
  }

 private:
  struct ::statx stat_ {};
};

class ChangeDirectory : public PathOperation<ChangeDirectory, void> {
 public:
  ChangeDirectory(std::uint8_t opcode, BorrowedFd directory, std::string path,
                  std::uint32_t length, std::uint32_t flags) noexcept
      : PathOperation(std::move(path)) {
    in(opcode, directory, length);
    sqe().unlink_flags = flags;
  }
  ChangeDirectory(std::uint8_t opcode, BorrowedFd directory, std::string path,
                  BorrowedFd second_directory, std::string second_path,
                  std::uint32_t flags) noexcept
      : PathOperation(std::move(path), std::move(second_path)) {
    in(opcode, directory, static_cast<std::uint32_t>(second_directory.get()));  // or AT_FDCWD
    sqe().rename_flags = flags;
    keep(second_directory.set());
  }
};

class FileControl : public Awaitable<FileControl, void> {
 public:
  FileControl(std::uint8_t opcode, BorrowedFd fd) noexcept { entry(opcode, fd); }
};

class Close : public Awaitable<Close, void> {
 public:
  explicit Close(Fd fd) noexcept : fd_(std::move(fd)) { entry(IORING_OP_CLOSE, fd_.get()); }
  Result<void> await_resume() noexcept {
    // If it was cancelled before it began, the destructor closes it.
    if (result != -ECANCELED && result != -ETIMEDOUT) (void)fd_.release();
    return result_of<void>(*this);
  }

 private:
  Fd fd_;
};

}  // namespace detail

/// As openat(2), O_CLOEXEC included. A FIFO io_uring opens as with O_NONBLOCK, unless with O_CREAT
/// or O_TRUNC. \return the file
inline auto openat(BorrowedFd directory, std::string path, int flags, mode_t mode = 0) noexcept {
  return detail::Open(directory, std::move(path), flags | O_CLOEXEC, mode);
}

/// As close(2); waits for what the file system still has to do.
inline auto close(Fd fd) noexcept { return detail::Close(std::move(fd)); }

/// As fsync(2).
inline auto fsync(BorrowedFd fd) noexcept { return detail::FileControl(IORING_OP_FSYNC, fd); }

/// As fdatasync(2).
inline auto fdatasync(BorrowedFd fd) noexcept {
  auto op = detail::FileControl(IORING_OP_FSYNC, fd);
  op.sqe().fsync_flags = IORING_FSYNC_DATASYNC;
  return op;
}

/// As fallocate(2).
inline auto fallocate(BorrowedFd fd, int mode, std::uint64_t offset,
                      std::uint64_t length) noexcept {
  auto op = detail::FileControl(IORING_OP_FALLOCATE, fd);
  op.sqe().off = offset;
  op.sqe().addr = length;
  op.sqe().len = static_cast<std::uint32_t>(mode);
  return op;
}

/// As statx(2). \return the struct statx
inline auto statx(BorrowedFd directory, std::string path, int flags = 0,
                  unsigned mask = STATX_BASIC_STATS | STATX_BTIME) noexcept {
  return detail::Stat(directory, std::move(path), flags, mask);
}

/// As unlinkat(2); with AT_REMOVEDIR a directory.
inline auto unlinkat(BorrowedFd directory, std::string path, int flags = 0) noexcept {
  return detail::ChangeDirectory(IORING_OP_UNLINKAT, directory, std::move(path), 0,
                                 static_cast<std::uint32_t>(flags));
}

/// As renameat2(2).
inline auto renameat(BorrowedFd directory, std::string path, BorrowedFd new_directory,
                     std::string new_path, unsigned flags = 0) noexcept {
  return detail::ChangeDirectory(IORING_OP_RENAMEAT, directory, std::move(path),
                                 new_directory, std::move(new_path), flags);
}

/// As mkdirat(2).
inline auto mkdirat(BorrowedFd directory, std::string path, mode_t mode = 0777) noexcept {
  return detail::ChangeDirectory(IORING_OP_MKDIRAT, directory, std::move(path), mode, 0);
}

}  // namespace weft::io
