// SPDX-License-Identifier: MIT OR Apache-2.0
// Timers, without whoever keeps them: when each is due, and when it came.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench::io {

/// So many timers at a time, due at random moments of 100 ms, the first after 20, when all are set.
/// Safe for threads that do not end the same timer.
class Alarms {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Alarms(std::size_t count) : start_(Clock::now()), came_(count) {}

  std::size_t count() const { return came_.size(); }
  Clock::time_point due(std::size_t i) const {
    return start_ + std::chrono::nanoseconds(20'000'000 + (i * 2654435761u) % 100'000'000);
  }
  void rings(std::size_t i) { came_[i] = Clock::now(); }

  /// Those that came, and not early.
  std::uint64_t right() const {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < count(); ++i) n += came_[i] >= due(i);
    return n;
  }
  /// How much too late. In microseconds.
  std::vector<float> delays() const {
    std::vector<float> all;
    for (std::size_t i = 0; i < count(); ++i) {
      all.push_back(std::chrono::duration<float, std::micro>(came_[i] - due(i)).count());
    }
    return all;
  }

 private:
  Clock::time_point start_;
  std::vector<Clock::time_point> came_;  // never: the epoch
};

}  // namespace bench::io
