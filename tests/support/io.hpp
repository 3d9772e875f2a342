// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Descriptors to do I/O on.

#pragma once

#include <weft/weft.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/test/unit_test.hpp>

#include "workers.hpp"

/// As WEFT_TEST_EACH_WORKERS, with a body that is no template: GCC 12 cannot parse `(co_await
/// x).value()` in one.
#define WEFT_IO_TEST_EACH_WORKERS(name)                         \
  void name##_with(int workers);                                \
  WEFT_TEST_EACH_WORKERS(name) { name##_with(workers); }        \
  void name##_with(int workers)

namespace weft::test {

/// For tasks and threads that run at the same time as others: Boost's checks are for one thread.
inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

struct Ends {
  io::Fd first;   ///< of a pipe: to read from
  io::Fd second;  ///< of a pipe: to write to
};

inline Ends make_pipe(int flags = 0) {
  int ends[2] = {-1, -1};
  require(::pipe2(ends, flags | O_CLOEXEC) == 0, "pipe2");
  return {io::Fd(ends[0]), io::Fd(ends[1])};
}

inline Ends make_socket_pair(int flags = 0, int type = SOCK_STREAM) {
  int ends[2] = {-1, -1};
  require(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | flags, 0, ends) == 0, "socketpair");
  return {io::Fd(ends[0]), io::Fd(ends[1])};
}

/// Awaited until so many tasks have come. Without looking now and then, which would keep the watchdog quiet.
class Arrivals {
 public:
  explicit Arrivals(int count) : missing_(count) {}
  void arrive() {
    if (missing_.fetch_sub(1) == 1) require(::write(pipe_.second.get(), "x", 1) == 1, "write");
  }
  Task<> all() {
    std::array<std::byte, 1> one;
    (co_await io::read(pipe_.first, one)).value();
  }

 private:
  Ends pipe_ = make_pipe();
  std::atomic<int> missing_;
};

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view text(std::span<const std::byte> buffer, std::size_t length) {
  return {reinterpret_cast<const char*>(buffer.data()), length};
}

/// How many descriptors the process has open.
inline std::ptrdiff_t open_descriptors() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}) - 1;
}

/// Lowers a soft limit until the end of its scope.
class Limit {
 public:
  Limit(decltype(RLIMIT_NOFILE) which, rlim_t value) : which_(which) {
    BOOST_REQUIRE(::getrlimit(which, &before_) == 0);
    const rlimit less{.rlim_cur = value, .rlim_max = before_.rlim_max};
    BOOST_REQUIRE(::setrlimit(which, &less) == 0);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() { ::setrlimit(which_, &before_); }

 private:
  decltype(RLIMIT_NOFILE) which_;
  rlimit before_{};
};

/// A directory of its own, and what is in it, until the end of the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weft-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace weft::test
