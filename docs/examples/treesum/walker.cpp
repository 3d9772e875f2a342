// SPDX-License-Identifier: MIT OR Apache-2.0
#include "walker.hpp"

#include "file.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace treesum {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

bool is_directory(const std::string& name) { return name.back() == '/'; }

/// The entry's type; some file systems leave it to a stat.
unsigned char type_of(DIR* directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat status{};
  if (::fstatat(::dirfd(directory), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return DT_REG;  // the open that follows reports what is wrong with it
  }
  return static_cast<unsigned char>(IFTODT(status.st_mode));
}

}  // namespace

Listing list_directory(const std::string& path) {
  Listing listing;
  File file = open_path(path, O_DIRECTORY | O_NONBLOCK);
  if (!file) {
    listing.error = file.error();
    return listing;
  }
  const Directory directory(::fdopendir(file.fd()));
  if (!directory) {
    listing.error = errno;
    return listing;
  }
  (void)file.release();  // closed with the directory from here on

  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const unsigned char type = type_of(directory.get(), *entry);
    if (type == DT_DIR) name += '/';
    if (type == DT_DIR || type == DT_REG) listing.names.push_back(std::move(name));
  }
  listing.error = errno;
  // With the '/' at the end of directories, visiting names in this order visits paths in order.
  std::sort(listing.names.begin(), listing.names.end());
  return listing;
}

Walker::Walker(std::string root, OnError on_error)
    : path_(std::move(root)), on_error_(std::move(on_error)) {
  if (!path_.ends_with('/')) path_ += '/';
}

weft::Task<std::optional<std::string>> Walker::next() {
  if (!started_) {
    started_ = true;
    co_await descend();
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.position == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    const std::string& name = level.names[level.position++];
    path_.resize(level.prefix);
    path_ += name;
    if (!is_directory(name)) co_return path_;
    co_await descend();
  }
  co_return std::nullopt;
}

/// Enters the directory path_, which the level above (if any) has just come to.
weft::Task<> Walker::descend() {
  Listing listing;
  if (!levels_.empty() && levels_.back().ahead.is_spawned()) {
    listing = co_await std::move(levels_.back().ahead);
  } else {
    listing = list_directory(path_);
  }
  if (listing.error != 0) on_error_(path_, listing.error);
  if (!levels_.empty()) read_ahead(levels_.back());
  levels_.push_back({.names = std::move(listing.names), .prefix = path_.size()});
}

/// Has the next subdirectory of `level` read by whichever worker is free.
void Walker::read_ahead(Level& level) {
  const auto rest = level.names.begin() + static_cast<std::ptrdiff_t>(level.position);
  const auto directory = std::find_if(rest, level.names.end(), is_directory);
  // Each read-ahead owns a path: in very deep trees, where these add up, do without.
  if (directory == level.names.end() || level.prefix > PATH_MAX) return;
  level.ahead = weft::spawn(list_directory, path_.substr(0, level.prefix) + *directory);
}

}  // namespace treesum
