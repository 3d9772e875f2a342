// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/futex.hpp"

#include <cerrno>
#include <utility>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "weft/detail/parker.hpp"

namespace weft::detail {

static_assert(sizeof(Atomic<std::uint32_t>) == sizeof(std::uint32_t));

void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

bool futex_wait_for(Atomic<std::uint32_t>& word, std::uint32_t expected,
                    std::int64_t milliseconds) noexcept {
  const timespec timeout{.tv_sec = static_cast<time_t>(milliseconds / 1000),
                         .tv_nsec = static_cast<long>(milliseconds % 1000) * 1'000'000};
  const long result =
      syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &timeout, nullptr, 0);
  return result == 0 || errno != ETIMEDOUT;
}

void futex_wake(Atomic<std::uint32_t>& word, int count) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

void event_signal(int event) noexcept {
  const std::uint64_t one = 1;
  // It fails only if the counter is full, and then the event has been signalled.
  [[maybe_unused]] const ssize_t written = ::write(event, &one, sizeof one);
}

bool asymmetric_fences() noexcept {
  static const bool registered =
      syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered;
}

void full_fence() noexcept {
  // One word for all: whoever's change is second acquires what came before the other's.
  static Atomic<std::uint32_t> word{0};
  word.fetch_add(1, seq_cst);
}

void heavy_fence() noexcept {
  // Without membarrier the light side is a full fence too, and so suffices one here.
  if (!asymmetric_fences() ||
      syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
    full_fence();
  }
}

void yield_cpu() noexcept { sched_yield(); }

namespace {

// A free list of parkers. Taken whole and put back one by one, as FrameDepot: no ABA.
constinit Atomic<Parker*> free_parkers{nullptr};

void put_back(Parker* parker) noexcept {
  Parker* head = free_parkers.load(relaxed);  // relaxed: a guess for the exchange
  do {
    parker->next_free = head;
  } while (!free_parkers.compare_exchange_weak(head, parker, release, relaxed));  // see below
}

Parker* take() {
  Parker* list = free_parkers.exchange(nullptr, acquire);  // acquire: pairs with put_back
  if (list == nullptr) return new Parker;
  while (Parker* rest = list->next_free) {
    list->next_free = rest->next_free;
    put_back(rest);
  }
  return list;
}

constinit thread_local Parker* own_parker = nullptr;
constinit thread_local bool thread_is_ending = false;

struct Returner {
  bool armed = false;
  ~Returner() {
    thread_is_ending = true;
    if (own_parker != nullptr) put_back(std::exchange(own_parker, nullptr));
  }
};
thread_local Returner returner;

}  // namespace

Parker& parker_of_this_thread() {
  if (own_parker == nullptr) {
    own_parker = take();
    // Destructors of other thread-local and static objects may still wait: they get a parker that
    // nobody else will ever use.
    if (!thread_is_ending) returner.armed = true;
  }
  return *own_parker;
}

}  // namespace weft::detail
