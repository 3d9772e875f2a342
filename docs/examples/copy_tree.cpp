// SPDX-License-Identifier: MIT OR Apache-2.0
//
// copy_tree SRC DST: copies a tree as `cp -r` does, many files at the same time. DST must not
// exist.
#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace fs = std::filesystem;
namespace io = weft::io;

namespace {

constexpr int kInFlight = 64;  // files; so at most twice as many descriptors, and 8 MiB of buffers
constexpr std::size_t kBufferBytes = 128 * 1024;

std::atomic<unsigned long> errors = 0;

void report(const fs::path& path, const std::error_code& error) {
  errors.fetch_add(1, std::memory_order_relaxed);
  std::fprintf(stderr, "copy_tree: %s: %s\n", path.c_str(), error.message().c_str());
}

std::error_code last_error() { return {errno, std::system_category()}; }

struct Entry {
  fs::path from;
  fs::path to;
};

/// Hands out the regular files of a tree to whoever asks, and makes directories and symbolic links
/// on the way. For these, and for listing, there are plain calls only: they block, but not for
/// long.
class Tree {
 public:
  explicit Tree(Entry root) { visit(std::move(root)); }

  /// From any thread.
  std::optional<Entry> next() {
    const std::lock_guard lock(mutex_);
    while (files_.empty() && !directories_.empty()) {
      const Entry directory = std::move(directories_.back());
      directories_.pop_back();
      std::error_code error;
      fs::directory_iterator entry(directory.from, error);
      for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        visit({entry->path(), directory.to / entry->path().filename()});
      }
      if (error) report(directory.from, error);
    }
    if (files_.empty()) return std::nullopt;
    Entry file = std::move(files_.back());
    files_.pop_back();
    return file;
  }

  /// Once all is copied: directories that nobody may write to could not be filled.
  void close() {
    for (; !modes_.empty(); modes_.pop_back()) {
      const auto& [path, mode] = modes_.back();
      if (::chmod(path.c_str(), mode) != 0) report(path, last_error());
    }
  }

 private:
  void visit(Entry entry) {
    struct stat status {};
    if (::lstat(entry.from.c_str(), &status) != 0) return report(entry.from, last_error());
    switch (status.st_mode & S_IFMT) {
      case S_IFREG:
        files_.push_back(std::move(entry));
        break;
      case S_IFDIR:
        enter(std::move(entry), status);
        break;
      case S_IFLNK: {
        std::error_code error;
        fs::copy_symlink(entry.from, entry.to, error);
        if (error) report(entry.to, error);
        break;
      }
      default:
        report(entry.from, std::make_error_code(std::errc::not_supported));
    }
  }

  void enter(Entry entry, const struct stat& status) {
    if (status.st_dev == top_device_ && status.st_ino == top_inode_) {  // DST lies in SRC
      return report(entry.from, std::make_error_code(std::errc::too_many_symbolic_link_levels));
    }
    const mode_t mode = status.st_mode & 0777;
    struct stat made {};
    if (::mkdir(entry.to.c_str(), mode | S_IRWXU) != 0 || ::stat(entry.to.c_str(), &made) != 0) {
      return report(entry.to, last_error());
    }
    if (top_inode_ == 0) {
      top_device_ = made.st_dev;
      top_inode_ = made.st_ino;
    }
    // What the umask took stays away.
    const mode_t wanted = made.st_mode & (mode | ~mode_t{S_IRWXU}) & 07777;
    if (wanted != (made.st_mode & 07777)) modes_.emplace_back(entry.to, wanted);
    directories_.push_back(std::move(entry));
  }

  std::mutex mutex_;
  std::vector<Entry> files_;
  std::vector<Entry> directories_;
  std::vector<std::pair<fs::path, mode_t>> modes_;
  dev_t top_device_ = 0;
  ino_t top_inode_ = 0;
};

weft::Task<> copy_file(const Entry& file, std::span<std::byte> buffer) {
  const io::BorrowedFd here = io::borrow(AT_FDCWD);
  const auto from = co_await io::openat(here, file.from.native(), O_RDONLY | O_NOFOLLOW);
  if (!from) co_return report(file.from, from.error());
  struct stat status {};
  if (::fstat(from->get(), &status) != 0) co_return report(file.from, last_error());
  auto to = co_await io::openat(here, file.to.native(), O_WRONLY | O_CREAT | O_EXCL,
                                status.st_mode & 0777);
  if (!to) co_return report(file.to, to.error());

  for (std::uint64_t offset = 0;;) {
    const auto read = co_await io::read(*from, buffer, offset);
    if (!read) co_return report(file.from, read.error());
    if (*read == 0) break;
    const auto written = co_await io::write_all(*to, buffer.first(*read), offset);
    if (!written) co_return report(file.to, written.error());
    offset += *read;
  }
  const auto closed = co_await io::close(std::move(*to));  // some file systems tell only now
  if (!closed) report(file.to, closed.error());
}

/// One of kInFlight: takes one file after the other.
weft::Task<> copy_files(Tree& tree) {
  const auto buffer = std::make_unique<std::byte[]>(kBufferBytes);
  while (const std::optional<Entry> file = tree.next()) {
    co_await copy_file(*file, {buffer.get(), kBufferBytes});
  }
}

weft::Task<> copy_tree(Tree& tree) {
  std::vector<weft::Flowvar<>> copiers;
  for (int i = 0; i < kInFlight; ++i) copiers.push_back(weft::spawn(copy_files(tree)));
  for (weft::Flowvar<>& copier : copiers) co_await std::move(copier);
  tree.close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("Usage: copy_tree SRC DST\n", stderr);
    return 2;
  }
  try {
    std::error_code error;
    if (fs::exists(fs::symlink_status(argv[2], error))) {
      report(argv[2], std::make_error_code(std::errc::file_exists));
      return 1;
    }
    weft::Threadpool pool;
    Tree tree({argv[1], argv[2]});
    pool.run(copy_tree(tree));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "copy_tree: %s\n", error.what());
    return 1;
  }
  if (errors != 0) std::fprintf(stderr, "copy_tree: %lu errors\n", errors.load());
  return errors == 0 ? 0 : 1;
}
