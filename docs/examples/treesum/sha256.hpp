// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace treesum {

/// What became of one file.
struct FileSum {
  std::string path;
  int error = 0;  // an errno value; the digest means something only when it is 0
  std::array<unsigned char, 32> digest{};
};

/// What the hashing tasks tell the rest of the program, and the other way round.
struct Activity {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<bool> stop{false};  // nobody wants the results any more: finish soon
};

/// Reads `path` once, from beginning to end, in pieces: a file that shrinks or grows meanwhile
/// gives the sum of what was read (with mmap it would be a SIGBUS).
weft::Task<FileSum> hash_file(std::string path, Activity& activity);

}  // namespace treesum
