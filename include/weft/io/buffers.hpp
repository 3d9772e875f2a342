// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Buffers that are chosen when there is something to put in: a connection that waits for data holds
/// none. `docs/design/io.md`.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "weft/detail/config.hpp"

namespace weft::io {

class BufferPool;

namespace detail {

class Shelf;
struct Shelves;

/// Any thread.
WEFT_API void give_back(Shelf& shelf, std::uint32_t buffer) noexcept;
WEFT_API std::byte* address_of(const Shelf& shelf, std::uint32_t buffer) noexcept;

}  // namespace detail

/// A buffer of a BufferPool with what was received in it. Its end gives the buffer back; that may
/// happen on any thread, but the lease must not outlive the pool. Move-only.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(Lease&& other) noexcept
      : shelf_(std::exchange(other.shelf_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        buffer_(other.buffer_) {}
  Lease& operator=(Lease&& other) noexcept {
    Lease(std::move(other)).swap(*this);
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (shelf_ != nullptr) detail::give_back(*shelf_, buffer_);
  }

  void swap(Lease& other) noexcept {
    std::swap(shelf_, other.shelf_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(buffer_, other.buffer_);
  }

  /// What was received.
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }
  /// Nothing was received: the peer sends no more (or, of datagrams, sent an empty one).
  bool empty() const noexcept { return size_ == 0; }
  /// Gives the buffer back now.
  void reset() noexcept { *this = Lease(); }

  /// For the operations.
  Lease(detail::Shelf& shelf, std::uint32_t buffer, std::size_t size) noexcept
      : shelf_(&shelf), data_(detail::address_of(shelf, buffer)), size_(size), buffer_(buffer) {}

 private:
  detail::Shelf* shelf_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t buffer_ = 0;
};

/// Buffers of one size, which `recv` and `recv_many` fill and hand out as leases. While all are out,
/// receiving waits for one to come back; what the peer sends stays in the socket meanwhile.
///
/// Each thread that receives with it has `count` buffers of its own, made when it first does, so that
/// threads do not compete for them. Must not be destroyed before the streams and operations that use it.
class BufferPool {
 public:
  /// \param count of buffers, at most 32,768 \param bytes of each
  /// \throws std::invalid_argument if one is zero or too large
  WEFT_API BufferPool(std::size_t count, std::size_t bytes);
  BufferPool(BufferPool&& other) noexcept : shelves_(std::exchange(other.shelves_, nullptr)) {}
  BufferPool& operator=(BufferPool&& other) noexcept {
    std::swap(shelves_, other.shelves_);
    return *this;
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  WEFT_API ~BufferPool();

  WEFT_API std::size_t count() const noexcept;
  /// Of each.
  WEFT_API std::size_t bytes() const noexcept;

  /// For the operations.
  detail::Shelves& shelves() const noexcept { return *shelves_; }

 private:
  detail::Shelves* shelves_;
};

}  // namespace weft::io
