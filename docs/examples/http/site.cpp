// SPDX-License-Identifier: MIT OR Apache-2.0
#include "site.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace io = weft::io;

namespace http {
namespace {

constexpr std::string_view kIndex = "index.html";

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {".css", "text/css; charset=utf-8"},
    {".gif", "image/gif"},
    {".html", "text/html; charset=utf-8"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".md", "text/markdown; charset=utf-8"},
    {".pdf", "application/pdf"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
    {".wasm", "application/wasm"},
    {".webp", "image/webp"},
};

std::string_view type_of(std::string_view path) {
  const auto* const found =
      std::find_if(std::begin(kTypes), std::end(kTypes),
                   [&](const auto& type) { return path.ends_with(type.first); });
  return found == std::end(kTypes) ? "application/octet-stream" : found->second;
}

int status_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return 404;
    case EACCES:
    case EPERM:
    case EXDEV:  // it would lead out of the root
    case ELOOP:
    case ENXIO:  // a socket
      return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

Site::Site(const std::string& directory)
    : root_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_.valid()) throw std::system_error(errno, std::system_category(), directory);
}

/// The kernel itself sees to it that neither ".." nor a symbolic link leads out of the root.
weft::Task<io::Result<int>> Site::open_beneath(const char* path) const {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // the last for a FIFO
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  // weft has no openat2, but knows how to run what io_uring has.
  auto open = io::raw([&](io_uring_sqe& sqe) {
    sqe.opcode = IORING_OP_OPENAT2;
    sqe.fd = root_.get();
    sqe.addr = reinterpret_cast<std::uintptr_t>(path);
    sqe.off = reinterpret_cast<std::uintptr_t>(&how);
    sqe.len = sizeof how;
  });
  io::Result<int> opened = co_await open;
  if (opened.error() == std::errc::function_not_supported) {  // on epoll
    const long fd = ::syscall(SYS_openat2, root_.get(), path, &how, sizeof how);
    if (fd < 0) co_return std::error_code(errno, std::system_category());
    co_return static_cast<int>(fd);
  }
  co_return opened;
}

weft::Task<Found> Site::find(const std::string& path) const {
  std::string name = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  if (path.ends_with('/')) name += kIndex;
  Found found{.type = type_of(name)};

  const io::Result<int> opened = co_await open_beneath(name.c_str());
  if (!opened) {
    found.status = status_of(opened.error().value());
    co_return found;
  }
  found.file = io::Fd(*opened);
  struct stat status {};
  if (::fstat(found.file.get(), &status) != 0) {
    found.status = 500;
  } else if (S_ISDIR(status.st_mode)) {
    found.status = path.ends_with('/') ? 403 : 301;  // relative links need the '/' at its end
  } else if (!S_ISREG(status.st_mode)) {
    found.status = 403;
  }
  found.size = static_cast<std::uint64_t>(status.st_size);
  found.modified = status.st_mtime;
  co_return found;
}

std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text;
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

std::time_t parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return end == nullptr || *end != '\0' ? -1 : ::timegm(&parts);
}

}  // namespace http
