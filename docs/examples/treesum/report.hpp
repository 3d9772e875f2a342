// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "sha256.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace treesum {

/// `path` as sha256sum writes it: with backslash, newline and carriage return as \\, \n and \r.
std::string escaped(const std::string& path);

/// The lines on stdout, the complaints on stderr, and, if stderr is a terminal, a line there that
/// shows how far things are.
class Report {
 public:
  explicit Report(const Activity& activity);
  ~Report();
  Report(const Report&) = delete;

  /// Throws std::system_error if stdout cannot be written.
  void add(const FileSum& sum);
  void failed(const std::string& path, int error);

  /// Writes out what is still buffered and takes the progress line away; throws like add().
  void finish();

  std::uint64_t failures() const noexcept { return failures_; }

 private:
  void show_progress(const std::stop_token& stop);
  void stop_progress();

  const Activity& activity_;
  std::uint64_t failures_ = 0;
  bool shared_terminal_ = false;  // stdout and the progress line end up on the same screen
  std::mutex terminal_;           // stderr: the progress line against complaints
  std::condition_variable_any stopped_;
  std::jthread progress_;  // a thread of its own: one huge file must not make the line freeze
};

}  // namespace treesum
