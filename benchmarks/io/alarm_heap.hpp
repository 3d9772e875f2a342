// SPDX-License-Identifier: MIT OR Apache-2.0
// How one keeps timers by hand: in a heap, whose first one says how long to sleep.
#pragma once

#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "alarms.hpp"

namespace bench::io {

/// \param sleep is called with how long at most, and may return early
void ring_all(Alarms& alarms, const auto& sleep) {
  using Alarm = std::pair<Alarms::Clock::time_point, std::size_t>;
  std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>> next;
  for (std::size_t i = 0; i < alarms.count(); ++i) next.emplace(alarms.due(i), i);
  while (!next.empty()) {
    const auto now = Alarms::Clock::now();
    if (next.top().first > now) {
      sleep(next.top().first - now);
    } else {
      alarms.rings(next.top().second);
      next.pop();
    }
  }
}

}  // namespace bench::io
