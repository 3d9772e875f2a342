// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The system calls of the bell.
#include "weft/detail/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <system_error>

namespace weft::detail {

int open_event() {
  const int event = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) throw std::system_error(errno, std::system_category(), "weft: eventfd");
  return event;
}

void close_event(int event) noexcept { ::close(event); }

void drain_event(int event) noexcept {
  std::uint64_t count = 0;
  (void)!::read(event, &count, sizeof count);
}

void Doorbell::wait_until(std::chrono::steady_clock::time_point deadline) noexcept {
  pollfd one{.fd = event_.load(relaxed), .events = POLLIN, .revents = 0};  // relaxed: as in answer()
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return;
  (void)::poll(&one, 1, static_cast<int>(left.count() < INT_MAX ? left.count() : INT_MAX));
}

}  // namespace weft::detail
