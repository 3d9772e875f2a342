// SPDX-License-Identifier: MIT OR Apache-2.0
#include "reads.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "check.hpp"

namespace bench::io {
namespace {

// At both ends of a block.
std::uint64_t mark_of(std::uint64_t block) { return (block + 1) * 0x9E37'79B9'7F4A'7C15u; }

}  // namespace

BlockFile::BlockFile(long blocks, bool direct) : blocks_(static_cast<std::uint64_t>(blocks)) {
  if (blocks < 1) throw std::invalid_argument("a file of no blocks");
  const std::string directory = std::filesystem::temp_directory_path();
  const int flags = O_RDWR | O_TMPFILE | O_CLOEXEC | (direct ? O_DIRECT : 0);
  file_ = weft::io::Fd(called(open(directory.c_str(), flags, 0600), directory.c_str()));
  alignas(kBlock) static std::byte block[kBlock];
  for (std::uint64_t i = 0; i < blocks_; ++i) {
    const std::uint64_t mark = mark_of(i);
    std::memcpy(block, &mark, sizeof mark);
    std::memcpy(block + kBlock - sizeof mark, &mark, sizeof mark);
    if (called(write(fd(), block, kBlock), "write") != kBlock)
      throw std::runtime_error("disk full");
  }
  fsync(fd());  // so that the disk is at rest
}

Reader::Reader(const BlockFile& file, std::uint32_t seed, long reads)
    : file_(&file), random_(seed * 2654435761u + 1), left_(reads) {
  delays_.reserve(static_cast<std::size_t>(reads));
}

bool Reader::next() {
  if (left_ == 0) return false;
  --left_;
  random_ ^= random_ << 13;  // xorshift32 (Marsaglia 2003)
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  block_ = random_ % file_->blocks();
  asked_ = std::chrono::steady_clock::now();
  return true;
}

void Reader::got(std::size_t bytes) {
  const auto delay = std::chrono::steady_clock::now() - asked_;
  delays_.push_back(std::chrono::duration<float, std::micro>(delay).count());
  const std::uint64_t mark = mark_of(block_);
  if (bytes != kBlock || std::memcmp(buffer_, &mark, sizeof mark) != 0 ||
      std::memcmp(buffer_ + kBlock - sizeof mark, &mark, sizeof mark) != 0) {
    throw std::runtime_error("read something else than what was written");
  }
}

}  // namespace bench::io
