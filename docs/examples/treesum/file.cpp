// SPDX-License-Identifier: MIT OR Apache-2.0
#include "file.hpp"

#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <unistd.h>

namespace treesum {
namespace {

File open_at(int directory, const char* path, int flags) {
  int fd;
  do {
    fd = ::openat(directory, path, flags | O_RDONLY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return File(fd < 0 ? -errno : fd);
}

}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File open_path(const std::string& path, int flags) {
  if (path.size() < PATH_MAX) return open_at(AT_FDCWD, path.c_str(), flags);

  // The kernel takes at most PATH_MAX bytes at a time: go down in pieces that fit. Only the
  // directory reached last stays open, so the depth costs no descriptors.
  File directory(-EBADF);
  int base = AT_FDCWD;
  std::size_t begin = 0;
  while (path.size() - begin >= PATH_MAX) {
    const std::size_t slash = path.rfind('/', begin + PATH_MAX - 2);
    if (slash == std::string::npos || slash <= begin) return File(-ENAMETOOLONG);
    const std::string piece = path.substr(begin, slash - begin);
    File next = open_at(base, piece.c_str(), O_PATH | O_DIRECTORY);
    if (!next) return next;
    directory = std::move(next);
    base = directory.fd();
    begin = slash + 1;
  }
  return open_at(base, path.c_str() + begin, flags);
}

}  // namespace treesum
