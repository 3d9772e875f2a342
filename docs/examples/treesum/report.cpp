// SPDX-License-Identifier: MIT OR Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

#include <unistd.h>

namespace treesum {
namespace {

constexpr auto kProgressEvery = std::chrono::milliseconds(200);
constexpr const char* kClearLine = "\r\033[K";

[[noreturn]] void throw_write_error() {
  throw std::system_error(errno, std::generic_category(), "write error");
}

}  // namespace

std::string escaped(const std::string& path) {
  const auto is_special = [](char c) { return c == '\\' || c == '\n' || c == '\r'; };
  if (std::none_of(path.begin(), path.end(), is_special)) return path;
  std::string text;
  text.reserve(path.size());
  for (const char c : path) {
    switch (c) {
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      default:
        text += c;
    }
  }
  return text;
}

Report::Report(const Activity& activity) : activity_(activity) {
  if (::isatty(STDERR_FILENO) != 0) {
    shared_terminal_ = ::isatty(STDOUT_FILENO) != 0;
    progress_ = std::jthread([this](const std::stop_token& stop) { show_progress(stop); });
  }
}

Report::~Report() { stop_progress(); }

void Report::add(const FileSum& sum) {
  if (sum.error != 0) {
    failed(sum.path, sum.error);
    return;
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::string path = escaped(sum.path);
  std::string line;
  line.reserve(2 * sum.digest.size() + path.size() + 4);
  if (path.size() != sum.path.size()) line += '\\';  // tells readers that the name is escaped
  for (const unsigned char byte : sum.digest) {
    const char digits[] = {kDigits[byte >> 4], kDigits[byte & 15]};
    line.append(digits, 2);
  }
  line += "  ";
  line += path;
  line += '\n';
  if (shared_terminal_) {  // the line takes the place of the progress line
    const std::lock_guard lock(terminal_);
    std::fputs(kClearLine, stderr);
    if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0) throw_write_error();
    return;
  }
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) throw_write_error();
}

void Report::failed(const std::string& path, int error) {
  ++failures_;
  const std::lock_guard lock(terminal_);
  if (progress_.joinable()) std::fputs(kClearLine, stderr);
  std::fprintf(stderr, "treesum: %s: %s\n", escaped(path).c_str(),
               std::generic_category().message(error).c_str());
}

void Report::finish() {
  stop_progress();
  if (std::fflush(stdout) != 0) throw_write_error();
}

void Report::show_progress(const std::stop_token& stop) {
  std::unique_lock lock(terminal_);
  for (;;) {
    stopped_.wait_for(lock, stop, kProgressEvery, [] { return false; });
    if (stop.stop_requested()) break;
    std::fprintf(stderr, "%s%llu files, %.1f MB", kClearLine,
                 static_cast<unsigned long long>(activity_.files.load(std::memory_order_relaxed)),
                 static_cast<double>(activity_.bytes.load(std::memory_order_relaxed)) / 1e6);
    std::fflush(stderr);
  }
  std::fputs(kClearLine, stderr);
}

void Report::stop_progress() {
  if (!progress_.joinable()) return;
  progress_.request_stop();
  progress_.join();
}

}  // namespace treesum
