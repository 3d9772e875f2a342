// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What an operation ends with: a value or an error.

#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weft::io {

/// A value, or the std::error_code of what went wrong. Operations never throw by themselves;
/// `value()` does.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : value_(std::move(value)) {}
  Result(std::error_code error) noexcept : error_(error) {}
  Result(std::errc error) noexcept : error_(std::make_error_code(error)) {}

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// \throws std::system_error if there is none
  T& value() & {
    check();
    return *value_;
  }
  const T& value() const& {
    check();
    return *value_;
  }
  T value() && {
    check();
    return std::move(*value_);
  }

  /// No error if there is a value.
  std::error_code error() const noexcept { return error_; }

  /// Precondition: has_value().
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

  template <class U>
  T value_or(U&& other) const& {
    return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
  }
  template <class U>
  T value_or(U&& other) && {
    return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }

 private:
  void check() const {
    if (!value_) throw std::system_error(error_);
  }

  std::optional<T> value_;
  std::error_code error_;
};

/// The same without a value.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept = default;
  Result(std::error_code error) noexcept : error_(error) {}
  Result(std::errc error) noexcept : error_(std::make_error_code(error)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  /// \throws std::system_error after an error
  void value() const {
    if (error_) throw std::system_error(error_);
  }
  void operator*() const noexcept {}
  std::error_code error() const noexcept { return error_; }

 private:
  std::error_code error_;
};

}  // namespace weft::io
