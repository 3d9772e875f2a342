// SPDX-License-Identifier: MIT OR Apache-2.0
#include "sha256.hpp"

#include "file.hpp"

#include <weft/io.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

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

/// A file's own Hasher, for a task that waits may go on on another thread. It goes back to a stock.
class HasherLease {
 public:
  HasherLease() {
    {
      const std::lock_guard lock(mutex);
      if (!stock.empty()) {
        hasher_ = std::move(stock.back());
        stock.pop_back();
        return;
      }
    }
    hasher_ = std::make_unique<Hasher>();
  }
  HasherLease(const HasherLease&) = delete;
  HasherLease& operator=(const HasherLease&) = delete;
  ~HasherLease() {
    const std::lock_guard lock(mutex);
    stock.push_back(std::move(hasher_));
  }
  Hasher* operator->() const noexcept { return hasher_.get(); }

 private:
  static inline std::mutex mutex;
  static inline std::vector<std::unique_ptr<Hasher>> stock;
  std::unique_ptr<Hasher> hasher_;
};

/// Only what is still a regular file: between listing and opening it may have become anything.
/// O_NONBLOCK so that a FIFO does not hang us, O_NOFOLLOW so that a symlink does not lead out.
File open_regular(const std::string& path) {
  File file = open_path(path, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file) return file;
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return File(-errno);
  if (!S_ISREG(status.st_mode)) return File(-EINVAL);
  if (status.st_size >= kReadAheadFrom) ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return file;
}

struct Piece {
  ssize_t bytes = 0;  // negative: an errno value, negated
  bool waited = false;
};

ssize_t read_at(int fd, unsigned char* buffer, std::uint64_t offset, int flags) {
  const iovec piece{.iov_base = buffer, .iov_len = kPiece};
  for (;;) {
    const ssize_t got = ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), flags);
    if (got >= 0) return got;
    if (errno != EINTR) return -errno;
  }
}

/// What is in memory is read at once, as a task that waits costs more than the copy. Only what the
/// disk has to bring is awaited.
weft::Task<Piece> read_piece(int fd, unsigned char* buffer, std::uint64_t offset) {
  Piece piece;
  piece.bytes = read_at(fd, buffer, offset, RWF_NOWAIT);
  if (piece.bytes == -EOPNOTSUPP) piece.bytes = read_at(fd, buffer, offset, 0);
  if (piece.bytes != -EAGAIN) co_return piece;

  piece.waited = true;
  if (waiting.fetch_add(1, std::memory_order_relaxed) < kMostWaiting) {
    // For opening only: there are kernels on which io_uring would not wait with it.
    (void)::fcntl(fd, F_SETFL, 0);
    const std::span bytes(reinterpret_cast<std::byte*>(buffer), kPiece);
    const auto got = co_await weft::io::read(weft::io::borrow(fd), bytes, offset);
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
  const File file = open_regular(sum.path);
  if (!file) {
    sum.error = file.error();
    co_return sum;
  }
  const HasherLease hasher;
  hasher->begin();
  std::uint64_t offset = 0;
  int current = 0;
  Piece piece = co_await read_piece(file.fd(), hasher->buffer(current), offset);
  while (piece.bytes > 0) {
    const auto bytes = static_cast<std::size_t>(piece.bytes);
    offset += bytes;
    // If the disk is at work for this file, the next piece is read while this one is hashed.
    weft::Flowvar<Piece> ahead;
    if (piece.waited && bytes == kPiece) {
      ahead = weft::spawn(read_piece(file.fd(), hasher->buffer(1 - current), offset));
    }
    hasher->add(current, bytes);
    activity.bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (activity.stop.load(std::memory_order_relaxed)) {
      sum.error = ECANCELED;
      co_return sum;
    }
    if (ahead.is_spawned()) {
      current = 1 - current;
      piece = co_await std::move(ahead);
    } else {
      piece = co_await read_piece(file.fd(), hasher->buffer(current), offset);
    }
  }
  if (piece.bytes < 0) {
    sum.error = static_cast<int>(-piece.bytes);
    co_return sum;
  }
  hasher->finish(sum.digest.data());
  activity.files.fetch_add(1, std::memory_order_relaxed);
  co_return sum;
}

}  // namespace treesum
