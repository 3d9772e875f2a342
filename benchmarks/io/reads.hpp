// SPDX-License-Identifier: MIT OR Apache-2.0
// Random blocks of a file, without the I/O: which one is next, and whether it was the right one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weft/io/fd.hpp"

namespace bench::io {

inline constexpr std::size_t kBlock = 4096;

/// A file without a name whose blocks can be told apart.
class BlockFile {
 public:
  /// In the directory for temporary files. \param direct without the page cache
  /// \throws std::system_error
  BlockFile(long blocks, bool direct);
  int fd() const { return file_.get(); }
  std::uint64_t blocks() const { return blocks_; }

 private:
  weft::io::Fd file_;
  std::uint64_t blocks_;
};

/// Reads one block after the other; as many readers, so deep the queue.
///
///     while (reader.next()) reader.got(bytes read from file() at offset() into buffer());
class Reader {
 public:
  Reader(const BlockFile& file, std::uint32_t seed, long reads);

  bool next();
  int file() const { return file_->fd(); }
  std::uint64_t offset() const { return block_ * kBlock; }
  std::span<std::byte> buffer() { return buffer_; }
  /// \throws std::runtime_error if that is not the block that was asked for
  void got(std::size_t bytes);

  /// In microseconds.
  const std::vector<float>& delays() const { return delays_; }

 private:
  const BlockFile* file_;
  std::uint32_t random_;
  long left_;
  std::uint64_t block_ = 0;
  std::chrono::steady_clock::time_point asked_;
  std::vector<float> delays_;
  alignas(kBlock) std::byte buffer_[kBlock];
};

}  // namespace bench::io
