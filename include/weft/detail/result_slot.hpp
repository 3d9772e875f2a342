// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Room for the value or the exception that a task ends with.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weft::detail {

/// A reference is kept as a pointer.
template <class T>
using ResultType = std::conditional_t<std::is_reference_v<T>, T, std::remove_cv_t<T>>;

/// What a task has left behind so far.
enum class Outcome : std::uint8_t { kNothing, kValue, kException };

/// A union of a T and an exception_ptr; which one it holds, if any, is the owner's `Outcome`. It
/// never raises the alignment of what it is in (frames are laid out for 16 bytes): an over-aligned
/// T gets slack.
template <class T>
class ResultSlot {
  using Stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>,
                                    std::remove_cv_t<T>>;
  static constexpr std::size_t kMaxAlign = 16;
  static constexpr bool kOverAligned = alignof(Stored) > kMaxAlign;
  static constexpr std::size_t kSlack = kOverAligned ? alignof(Stored) - kMaxAlign : 0;

 public:
  static constexpr bool kIsTrivial = std::is_trivially_destructible_v<Stored>;  ///< the value

  ResultSlot() noexcept {}  // NOLINT: the bytes are written when there is a result
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;

  template <class U>
  void emplace(U&& value) {
    if constexpr (std::is_reference_v<T>) {
      T reference = std::forward<U>(value);
      ::new (address()) Stored(std::addressof(reference));
    } else {
      // As `return value;` in a function; the cast keeps -Wconversion quiet in the user's code.
      ::new (address()) Stored(static_cast<Stored>(std::forward<U>(value)));
    }
  }

  void fail(std::exception_ptr exception) noexcept {
    ::new (static_cast<void*>(bytes_)) std::exception_ptr(std::move(exception));
  }

  T take(Outcome outcome) {
    if (outcome == Outcome::kException) [[unlikely]] std::rethrow_exception(*exception());
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**value());
    } else {
      return std::move(*value());
    }
  }

  void destroy(Outcome outcome) noexcept {
    if (outcome == Outcome::kException) [[unlikely]] {
      std::destroy_at(exception());
    } else if constexpr (!kIsTrivial) {
      if (outcome == Outcome::kValue) std::destroy_at(value());
    }
  }

 private:
  void* address() noexcept {
    if constexpr (kOverAligned) {
      const auto at = reinterpret_cast<std::uintptr_t>(bytes_);
      return reinterpret_cast<void*>((at + alignof(Stored) - 1) & ~(alignof(Stored) - 1));
    } else {
      return bytes_;
    }
  }
  Stored* value() noexcept { return std::launder(static_cast<Stored*>(address())); }
  std::exception_ptr* exception() noexcept {
    return std::launder(reinterpret_cast<std::exception_ptr*>(bytes_));
  }

  static constexpr std::size_t kSize = sizeof(Stored) + kSlack > sizeof(std::exception_ptr)
                                           ? sizeof(Stored) + kSlack
                                           : sizeof(std::exception_ptr);
  static constexpr std::size_t kAlign = kOverAligned          ? kMaxAlign
                                        : alignof(Stored) > 8 ? alignof(Stored)
                                                              : 8;
  alignas(kAlign) std::byte bytes_[kSize];
};

template <>
class ResultSlot<void> {
 public:
  static constexpr bool kIsTrivial = true;

  ResultSlot() noexcept {}  // NOLINT: as above
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;

  void emplace() const noexcept {}
  void fail(std::exception_ptr exception) noexcept {
    ::new (static_cast<void*>(bytes_)) std::exception_ptr(std::move(exception));
  }
  void take(Outcome outcome) {
    if (outcome == Outcome::kException) [[unlikely]] std::rethrow_exception(*exception());
  }
  void destroy(Outcome outcome) noexcept {
    if (outcome == Outcome::kException) [[unlikely]] std::destroy_at(exception());
  }

 private:
  std::exception_ptr* exception() noexcept {
    return std::launder(reinterpret_cast<std::exception_ptr*>(bytes_));
  }
  alignas(8) std::byte bytes_[sizeof(std::exception_ptr)];
};

}  // namespace weft::detail
