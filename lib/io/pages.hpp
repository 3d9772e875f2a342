// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory that the kernel reads and writes for us: mapped, zero, and gone with its owner.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>
#include <utility>

namespace weft::io::detail {

class Pages {
 public:
  Pages() noexcept = default;
  /// Whole pages, even of less: the kernel unmaps no parts, and TSan forgets none, so that it would see a
  /// race with whatever is mapped there next behind its back (liburing's rings are).
  /// \throws std::bad_alloc
  explicit Pages(std::size_t bytes) : size_(round_up(bytes)) {
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  Pages(Pages&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Pages& operator=(Pages other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Pages() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }

  explicit operator bool() const noexcept { return memory_ != nullptr; }
  template <class T = std::byte>
  T* as() const noexcept {
    return static_cast<T*>(memory_);
  }

 private:
  static std::size_t round_up(std::size_t bytes) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
  }

  void* memory_ = nullptr;
  std::size_t size_ = 0;  // bytes
};

}  // namespace weft::io::detail
