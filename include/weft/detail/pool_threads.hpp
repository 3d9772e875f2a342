// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The threads that serve a pool's workers. `docs/design/blocking.md`.
///
/// A worker is a place at the table, not a thread. A thread whose task blocks in a `sync` gets up:
/// another thread, one at rest or a new one, serves its worker meanwhile. Once what it waited for
/// is there, it claims a place, any place, and whoever is first between two tasks gives up his. So
/// exactly one thread serves each worker, nothing is ever run on top of a blocked stack, and what
/// is able to go on does, however many tasks are blocked.

#include <cstdint>
#include <memory>
#include <thread>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/parker.hpp"

namespace weft::io::detail {
class Hub;
}

namespace weft::detail {

struct Worker;

/// A thread that wants to go on, and needs a worker for that.
struct Claim {
  Plain<Parker*> thread = nullptr;
  Plain<Claim*> next = nullptr;
  Plain<Worker*> worker = nullptr;  ///< with `granted`
  Atomic<bool> granted{false};

  /// Gives it `with`, which the caller must not touch afterwards.
  void grant(Worker* with) noexcept {
    Parker* const immortal = thread;  // unlike the claim
    worker = with;
    granted.store(true, release);  // hands over all of the worker's plain members
    immortal->unpark();
  }
};

/// The claims to any worker of one pool. Taken all at once and put back but for the oldest: no ABA.
class alignas(kCacheLine) Claims {
 public:
  /// Relaxed: for a look between tasks. Before it sleeps, a worker looks with seq_cst: see push.
  bool any(decltype(relaxed) order = relaxed) const noexcept {
    return head_.load(order) != nullptr;
  }

  void push(Claim& claim) noexcept { push(&claim, &claim); }

  /// Whoever serves a worker. \return nullptr: others were faster, or have them for a moment;
  /// if there are `any()` after a take, somebody else may have missed them for that.
  Claim* take() noexcept {
    Claim* const taken = head_.exchange(nullptr, acquire);  // pairs with push
    if (taken == nullptr) return nullptr;
    if (taken->next == nullptr) return taken;
    Claim* last = taken;  // of those that go back
    Claim* oldest = taken->next;
    while (oldest->next != nullptr) {
      last = oldest;
      oldest = oldest->next;
    }
    push(taken, last);
    return oldest;
  }

 private:
  void push(Claim* first, Claim* last) noexcept {
    Claim* head = head_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      last->next = head;
      // Seq_cst: publishes the claim, and stands before the caller's look at who sleeps.
    } while (!head_.compare_exchange_weak(head, first, seq_cst, relaxed));
  }

  Atomic<Claim*> head_{nullptr};
};

/// One thread of a pool: serves a worker, or rests until it is told to; its hub may have work
/// meanwhile.
struct PoolThread {
  explicit PoolThread(std::unique_ptr<io::detail::Hub> own_hub) noexcept;
  ~PoolThread();

  static constexpr std::uint32_t kRests = 0;
  static constexpr std::uint32_t kReserved = 1;  ///< somebody is about to tell it
  static constexpr std::uint32_t kServes = 2;
  static constexpr std::uint32_t kStops = 3;
  static constexpr std::uint32_t kDoesIo = 4;    ///< from the start, with Options::io_thread

  Atomic<std::uint32_t> state{kServes};  ///< whoever changes it unparks the thread
  const std::unique_ptr<io::detail::Hub> hub;
  Worker* worker = nullptr;              ///< with kServes
  int cpu = -1;                          ///< to which it is pinned, if at all
  PoolThread* next_made = nullptr;
  std::thread thread;

  /// The thread itself: it serves `w` from here on, and moves to that worker's CPU.
  void become(Worker* w) noexcept;
};

}  // namespace weft::detail
