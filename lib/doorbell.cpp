// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <system_error>

#include "weft/detail/futex.hpp"

namespace weft::detail {

Doorbell::~Doorbell() {
  const int event = event_.load(relaxed);  // relaxed: nobody else is left
  if (event >= 0) ::close(event);
}

int Doorbell::descriptor() {
  int event = event_.load(acquire);  // acquire: pairs with the exchange below
  if (event >= 0) return event;
  // Readable at once, as `rung_` says.
  const int made = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made < 0) throw std::system_error(errno, std::system_category(), "weft: eventfd");
  // Seq_cst: see ring().
  if (!event_.compare_exchange_strong(event, made, seq_cst, acquire)) {
    ::close(made);
    return event;
  }
  heavy_fence();  // for what is not seq_cst on the other side: the end of a task
  return made;
}

void Doorbell::write() noexcept {
  // Acq_rel, here and in answer(): see the class.
  if (rung_.exchange(true, acq_rel)) return;
  const std::uint64_t one = 1;
  (void)!::write(event_.load(relaxed), &one, sizeof one);  // relaxed: written once, before
}

bool Doorbell::answer() noexcept {
  std::uint64_t count = 0;
  (void)!::read(event_.load(relaxed), &count, sizeof count);  // relaxed: as above
  return rung_.exchange(false, acq_rel);
}

void Doorbell::wait_until(std::chrono::steady_clock::time_point deadline) noexcept {
  pollfd one{.fd = event_.load(relaxed), .events = POLLIN, .revents = 0};  // relaxed: as above
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return;
  (void)::poll(&one, 1, static_cast<int>(left.count() < INT_MAX ? left.count() : INT_MAX));
}

}  // namespace weft::detail
