// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Handshakes that force a schedule. A task that spins in `wait_for` keeps its worker busy, so what it
// waits for can only have happened on another worker: this is how a test makes a steal certain
// without ever looking at a clock.

#pragma once

#include <atomic>
#include <thread>

namespace weft::test {

/// Spins, and yields the CPU, until the predicate holds.
template <class Predicate>
void wait_until(Predicate predicate) {
  while (!predicate()) {
    std::this_thread::yield();
  }
}

/// A flag that one task raises and another waits for.
class Signal {
 public:
  void raise() noexcept { raised_.store(true, std::memory_order_release); }
  bool raised() const noexcept { return raised_.load(std::memory_order_acquire); }
  void wait() const {
    wait_until([this] { return raised(); });
  }

 private:
  std::atomic<bool> raised_{false};
};

/// Everybody leaves once `count` have arrived: proves that `count` workers are inside at once.
class Rendezvous {
 public:
  explicit Rendezvous(int count) noexcept : missing_(count) {}
  void arrive_and_wait() {
    missing_.fetch_sub(1, std::memory_order_acq_rel);
    wait_until([this] { return missing_.load(std::memory_order_acquire) <= 0; });
  }

 private:
  std::atomic<int> missing_;
};

}  // namespace weft::test
