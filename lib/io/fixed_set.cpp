// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/fixed_set.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "io/driver.hpp"
#include "weft/detail/mutex.hpp"
#include "weft/io/fixed.hpp"

namespace weft::io {

namespace detail {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of one buffer, for the kernel

/// Numbers in the tables of rings, the same in all: a set knows its own before any ring has it.
class Numbers {
 public:
  explicit Numbers(std::uint32_t most) noexcept : most_(most) {}

  /// `count` of them, one after the other. \return the first, or as many as there are: none are left
  std::uint32_t take(std::uint32_t count) {
    const weft::detail::Mutex::Guard guard(lock_);
    std::uint32_t first = 0;
    for (const auto& [at, length] : taken_) {
      if (at - first >= count) break;
      first = at + length;
    }
    if (most_ - first < count) return most_;
    taken_.emplace(first, count);
    return first;
  }

  void give_back(std::uint32_t first) noexcept {
    const weft::detail::Mutex::Guard guard(lock_);
    taken_.erase(first);
  }

 private:
  const std::uint32_t most_;
  weft::detail::Mutex lock_;
  std::map<std::uint32_t, std::uint32_t> taken_;  // how many, by the first
};

// Never destroyed: sets may be static.
Numbers& numbers(bool of_files) {
  static Numbers& buffers = *new Numbers(FixedSet::kMostBuffers);
  static Numbers& files = *new Numbers(FixedSet::kMostFiles);
  return of_files ? files : buffers;
}

std::string limit_of(decltype(RLIMIT_NOFILE) which) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur);
}

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::system_category(), what);
}

void check(const char* what, std::size_t value, std::size_t most) {
  if (value == 0 || value > most) {
    throw std::invalid_argument(std::string("weft::io::") + what + " is " + std::to_string(value) +
                                ", must be 1 to " + std::to_string(most));
  }
}

std::size_t checked_size(std::size_t count, std::size_t bytes) {
  check("FixedBuffers: count", count, kMostBytes);
  check("FixedBuffers: bytes", bytes, kMostBytes);
  check("FixedBuffers: count * bytes", count * bytes, kMostBytes);  // at most 2^60
  return count * bytes;
}

void close_all(std::span<const int> fds) noexcept {
  for (const int fd : fds) ::close(fd);
}

}  // namespace

void keep_set(FixedSet& set) noexcept { set.retain(); }
void let_set_go(FixedSet& set) noexcept { set.release(); }

FixedSet::FixedSet(std::size_t count, std::size_t bytes)
    : size_(checked_size(count, bytes)), memory_(size_) {
  static_assert(std::numeric_limits<std::size_t>::digits == 64, "count * bytes does not overflow");
  if (const int error = -try_to_lock(memory(), size_); error == ENOMEM) {
    fail(error, "weft::io::FixedBuffers: cannot lock " + std::to_string(size_) + " bytes (" +
                    std::to_string(count) + " buffers of " + std::to_string(bytes) +
                    "), RLIMIT_MEMLOCK is " + limit_of(RLIMIT_MEMLOCK));
  }
  first_ = numbers(false).take(1);
  if (first_ == kMostBuffers) {
    fail(EMFILE, "weft::io::FixedBuffers: there are " + std::to_string(kMostBuffers) +
                     " of them, the limit of a process");
  }
}

FixedSet::FixedSet(std::span<const int> files) {
  check("FixedFiles: number of files", files.size(), kMostFiles);
  const std::string count = std::to_string(files.size());
  files_.reserve(files.size());
  try {
    for (const int fd : files) {
      const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
      if (own >= 0) {
        files_.push_back(own);
      } else if (errno == EMFILE) {
        fail(EMFILE, "weft::io::FixedFiles: no descriptors for " + count +
                         " files, RLIMIT_NOFILE is " + limit_of(RLIMIT_NOFILE));
      } else {
        fail(errno, "weft::io::FixedFiles: descriptor " + std::to_string(fd));
      }
    }
    first_ = numbers(true).take(static_cast<std::uint32_t>(files.size()));
    if (first_ == kMostFiles) {
      fail(EMFILE, "weft::io::FixedFiles: no room for " + count + " files, the limit of a process is " +
                       std::to_string(kMostFiles));
    }
  } catch (...) {
    close_all(files_);
    throw;
  }
}

FixedSet::~FixedSet() { numbers(is_files()).give_back(first_); }

Registration* FixedSet::enrol(Hub& hub) noexcept {
  return roster_.enrol(hub, [&] { return new (std::nothrow) Registration(*this, hub); });
}

void FixedSet::end_use() noexcept {
  roster_.tell_all();
  if (is_files()) {
    close_all(files_);
  } else {
    memory_ = {};
  }
  leave();
}

}  // namespace detail

FixedBuffers::FixedBuffers(std::size_t count, std::size_t bytes)
    : set_(new detail::FixedSet(count, bytes)), data_(set_->memory()), count_(count), bytes_(bytes) {}

FixedFiles::FixedFiles(std::span<const int> files)
    : set_(new detail::FixedSet(files)),
      fds_(set_->files()),
      first_(static_cast<int>(set_->first())) {}

}  // namespace weft::io
