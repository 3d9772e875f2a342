// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Sleeping, in tasks: the worker does not.

#include <chrono>

#include "weft/io/awaitable.hpp"

namespace weft::io {

namespace detail {

/// Ends at its deadline. A timeout shorter than the sleep ends it with std::errc::timed_out.
class Sleep : public Awaitable<Sleep, void> {
 public:
  explicit Sleep(Nanoseconds length) noexcept {
    kind = Kind::kTimer;
    with_extras().time = length;
    length_ = length;
  }
  template <class Rep, class Period>
  Sleep& timeout(std::chrono::duration<Rep, Period> limit) & noexcept {
    const Nanoseconds most = to_nanoseconds(limit);
    cut_short_ = most < length_;
    with_extras().time = cut_short_ ? most : length_;
    return *this;
  }
  template <class Rep, class Period>
  Sleep&& timeout(std::chrono::duration<Rep, Period> limit) && noexcept {
    return std::move(timeout(limit));
  }
  Result<void> await_resume() noexcept {
    if (result == 0 && cut_short_) return std::errc::timed_out;
    return result_of<void>(*this);
  }

 private:
  Nanoseconds length_;
  bool cut_short_ = false;
};

}  // namespace detail

/// Suspends the task for that time at least. std::errc::not_enough_memory: there is none for one more
/// deadline, and it ends at once.
template <class Rep, class Period>
auto sleep_for(std::chrono::duration<Rep, Period> time) noexcept {
  return detail::Sleep(detail::to_nanoseconds(time));
}

/// Suspends the task until that time at least. A clock other than std::chrono::steady_clock may be
/// set meanwhile: what counts is how far the time was away when this was called. Errors as sleep_for.
template <class Clock, class Duration>
auto sleep_until(std::chrono::time_point<Clock, Duration> time) {
  return detail::Sleep(detail::to_nanoseconds(time - Clock::now()));
}

}  // namespace weft::io
