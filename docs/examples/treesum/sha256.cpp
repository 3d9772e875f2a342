// SPDX-License-Identifier: MIT OR Apache-2.0
#include "sha256.hpp"

#include "file.hpp"

#include <weft/io.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace treesum {
namespace {

constexpr std::size_t kPiece = 128 * 1024;     // stays in the L2 cache between read and hash
constexpr off_t kReadAheadFrom = 1024 * 1024;  // below, the advice costs more than it brings

/// Files that may wait for the disk as tasks; the rest block their thread, as many as there are. So
/// there is a bound to buffers and descriptors, however many files are on their way.
constexpr int kMostWaiting = 8;
std::atomic<int> waiting{0};

/// A context and buffers, which are worth keeping from file to file: see HasherLease.
class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()), algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)) {
    if (!context_ || !algorithm_) throw std::runtime_error("libcrypto offers no SHA-256");
  }

  void begin() { check(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr)); }
  void add(int buffer, std::size_t bytes) {
    check(EVP_DigestUpdate(context_.get(), this->buffer(buffer), bytes));
  }
  void finish(unsigned char* digest) { check(EVP_DigestFinal_ex(context_.get(), digest, nullptr)); }
  /// One of two: the second is filled while the first is hashed.
  unsigned char* buffer(int which) {
    auto& buffer = buffers_[static_cast<std::size_t>(which)];
    if (!buffer) buffer.reset(new unsigned char[kPiece]);
    return buffer.get();
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    void operator()(EVP_MD* algorithm) const noexcept { EVP_MD_free(algorithm); }
  };
  static void check(int result) {
    if (result != 1) throw std::runtime_error("libcrypto failed to compute a SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, Free> context_;
  std::unique_ptr<EVP_MD, Free> algorithm_;  // fetched once: EVP_sha256() would look it up per file
  std::array<std::unique_ptr<unsigned char[]>, 2> buffers_;
};

/// The Hasher of one file. Each thread keeps one for its next file; a task that waits may go on on
/// another thread, so a file borrows it, and gives it to the thread it ends on.
class HasherLease {
 public:
  HasherLease() : hasher_(std::move(spare())) {
    if (!hasher_) hasher_ = std::make_unique<Hasher>();
  }
  HasherLease(const HasherLease&) = delete;
  HasherLease& operator=(const HasherLease&) = delete;
  ~HasherLease() {
    std::unique_ptr<Hasher>& place = spare();
    if (!place) place = std::move(hasher_);
  }
  Hasher* operator->() const noexcept { return hasher_.get(); }

 private:
  /// Not inlined: in a coroutine, the address would be kept across a change of thread.
  [[gnu::noinline]] static std::unique_ptr<Hasher>& spare() {
    thread_local std::unique_ptr<Hasher> mine;
    return mine;
  }

  std::unique_ptr<Hasher> hasher_;
};

/// Only what is still a regular file: between listing and opening it may have become anything.
/// O_NONBLOCK so that a FIFO does not hang us, O_NOFOLLOW so that a symlink does not lead out.
/// `size` gets the file's size, which is 0 for those that the kernel makes up as they are read.
File open_regular(const std::string& path, std::uint64_t& size) {
  File file = open_path(path, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file) return file;
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return File(-errno);
  if (!S_ISREG(status.st_mode)) return File(-EINVAL);
  if (status.st_size >= kReadAheadFrom) ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

/// Bytes read, or an errno value, negated.
ssize_t read_at(int fd, unsigned char* buffer, std::uint64_t offset, int flags) {
  const iovec piece{.iov_base = buffer, .iov_len = kPiece};
  for (;;) {
    const ssize_t got = ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), flags);
    if (got >= 0) return got;
    if (errno != EINTR) return -errno;
  }
}

/// What is in memory is read at once, as a task that waits costs more than the copy. -EAGAIN: the
/// disk has to bring it.
ssize_t read_from_memory(int fd, unsigned char* buffer, std::uint64_t offset) {
  const ssize_t got = read_at(fd, buffer, offset, RWF_NOWAIT);
  return got == -EOPNOTSUPP ? read_at(fd, buffer, offset, 0) : got;
}

struct Piece {
  ssize_t bytes = 0;  // as of read_at
  bool waited = false;
};

/// Awaits what is not in memory.
weft::Task<Piece> read_piece(int fd, unsigned char* buffer, std::uint64_t offset) {
  Piece piece{.bytes = read_from_memory(fd, buffer, offset)};
  if (piece.bytes != -EAGAIN) co_return piece;

  piece.waited = true;
  if (waiting.fetch_add(1, std::memory_order_relaxed) < kMostWaiting) {
    // For opening only: there are kernels on which io_uring would not wait with it.
    (void)::fcntl(fd, F_SETFL, 0);
    const std::span place(reinterpret_cast<std::byte*>(buffer), kPiece);
    const auto got = co_await weft::io::read(weft::io::borrow(fd), place, offset);
    piece.bytes = got ? static_cast<ssize_t>(*got) : -got.error().value();
  } else {
    piece.bytes = read_at(fd, buffer, offset, 0);
  }
  waiting.fetch_sub(1, std::memory_order_relaxed);
  co_return piece;
}

}  // namespace

weft::Task<FileSum> hash_file(std::string path, Activity& activity) {
  FileSum sum{.path = std::move(path)};
  if (activity.stop.load(std::memory_order_relaxed)) {
    sum.error = ECANCELED;
    co_return sum;
  }
  std::uint64_t size = 0;
  const File file = open_regular(sum.path, size);
  if (!file) {
    sum.error = file.error();
    co_return sum;
  }
  const HasherLease hasher;
  hasher->begin();
  std::uint64_t offset = 0;
  int current = 0;
  weft::Flowvar<Piece> ahead;  // the next piece, if the disk is at work for this file
  for (;;) {
    Piece piece;
    if (ahead.is_spawned()) {
      current = 1 - current;
      piece = co_await std::move(ahead);
    } else {
      piece.bytes = read_from_memory(file.fd(), hasher->buffer(current), offset);  // spares a frame
      if (piece.bytes == -EAGAIN) {
        piece = co_await read_piece(file.fd(), hasher->buffer(current), offset);
      }
    }
    if (piece.bytes < 0) sum.error = static_cast<int>(-piece.bytes);
    if (piece.bytes <= 0) break;
    const auto bytes = static_cast<std::size_t>(piece.bytes);
    offset += bytes;
    // It is read while this one is hashed.
    if (piece.waited && bytes == kPiece) {
      ahead = weft::spawn(read_piece(file.fd(), hasher->buffer(1 - current), offset));
    }
    hasher->add(current, bytes);
    activity.bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (activity.stop.load(std::memory_order_relaxed)) {
      sum.error = ECANCELED;
      break;
    }
    if (bytes < kPiece && offset == size) break;  // no need to be told that this was the end
  }
  if (sum.error != 0) co_return sum;
  hasher->finish(sum.digest.data());
  activity.files.fetch_add(1, std::memory_order_relaxed);
  co_return sum;
}

}  // namespace treesum
