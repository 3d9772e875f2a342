// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task that computes for a known time.

#pragma once

#include <weft/weft.hpp>

#include <chrono>

namespace weft::test {

inline void spin_for(std::chrono::steady_clock::duration time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) weft::detail::spin_pause();
}

}  // namespace weft::test
