// SPDX-License-Identifier: MIT OR Apache-2.0
#include "sha256.hpp"

#include "file.hpp"

#include <cerrno>
#include <memory>
#include <stdexcept>

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace treesum {
namespace {

constexpr std::size_t kPiece = 128 * 1024;     // stays in the L2 cache between read and hash
constexpr off_t kReadAheadFrom = 1024 * 1024;  // below, the advice costs more than it brings

/// One per thread: a context and a buffer are worth keeping from file to file. hash_file() never
/// suspends, so it leaves the thread no sooner than it is done with them.
class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()), algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)) {
    if (!context_ || !algorithm_) throw std::runtime_error("libcrypto offers no SHA-256");
  }

  void begin() { check(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr)); }
  void add(std::size_t bytes) { check(EVP_DigestUpdate(context_.get(), buffer_.get(), bytes)); }
  void finish(unsigned char* digest) { check(EVP_DigestFinal_ex(context_.get(), digest, nullptr)); }
  unsigned char* buffer() const noexcept { return buffer_.get(); }

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
  std::unique_ptr<unsigned char[]> buffer_ = std::make_unique<unsigned char[]>(kPiece);
};

/// Only what is still a regular file: between listing and opening it may have become anything.
/// O_NONBLOCK so that a FIFO does not hang us, O_NOFOLLOW so that a symlink does not lead out.
File open_regular(const std::string& path) {
  File file = open_path(path, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file) return file;
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return File(-errno);
  if (!S_ISREG(status.st_mode)) return File(-EINVAL);
  if (status.st_size >= kReadAheadFrom) ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return file;
}

}  // namespace

FileSum hash_file(std::string path, Activity& activity) {
  thread_local Hasher hasher;
  FileSum sum{.path = std::move(path)};
  if (activity.stop.load(std::memory_order_relaxed)) {
    sum.error = ECANCELED;
    return sum;
  }
  const File file = open_regular(sum.path);
  if (!file) {
    sum.error = file.error();
    return sum;
  }
  hasher.begin();
  for (;;) {
    const ssize_t got = ::read(file.fd(), hasher.buffer(), kPiece);
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      sum.error = errno;
      return sum;
    }
    hasher.add(static_cast<std::size_t>(got));
    activity.bytes.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
    if (activity.stop.load(std::memory_order_relaxed)) {
      sum.error = ECANCELED;
      return sum;
    }
  }
  hasher.finish(sum.digest.data());
  activity.files.fetch_add(1, std::memory_order_relaxed);
  return sum;
}

}  // namespace treesum
