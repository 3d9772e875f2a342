// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What an operation has to do with registered buffers or files: it keeps them.

#include <utility>

#include "weft/detail/config.hpp"

namespace weft::io::detail {

class FixedSet;

/// Any thread.
WEFT_API void keep_set(FixedSet& set) noexcept;
WEFT_API void let_set_go(FixedSet& set) noexcept;

/// One use of a set, or none. Memory stays and descriptors stay open until the last one ends. Move-only.
class FixedRef {
 public:
  FixedRef() noexcept = default;
  /// Precondition: the set is kept meanwhile, by its owner or by another use. \param set or nullptr
  explicit FixedRef(FixedSet* set) noexcept : set_(set) {
    if (set_ != nullptr) keep_set(*set_);
  }
  FixedRef(FixedRef&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  FixedRef& operator=(FixedRef&& other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }
  FixedRef(const FixedRef&) = delete;
  FixedRef& operator=(const FixedRef&) = delete;
  ~FixedRef() {
    if (set_ != nullptr) [[unlikely]] let_set_go(*set_);
  }

  FixedSet* get() const noexcept { return set_; }

 private:
  FixedSet* set_ = nullptr;
};

}  // namespace weft::io::detail
