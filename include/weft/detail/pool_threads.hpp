// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The threads that serve a pool's workers. `docs/design/blocking.md`.
///
/// A worker is a place at the table, not a thread. A thread whose task blocks in a `sync` gets up:
/// another thread, one at rest or a new one, serves its worker meanwhile. Once what it waited for
/// is there, it claims the place again, and whoever sits there gives it up between two tasks. So
/// exactly one thread serves each worker, nothing is ever run on top of a blocked stack, and what
/// is able to go on does, however many tasks are blocked.

#include <cstdint>
#include <memory>
#include <thread>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/parker.hpp"

namespace weft::io::detail {
class Hub;
}

namespace weft::detail {

struct Worker;

/// A thread that wants to serve its worker again.
struct Claim {
  Plain<Parker*> thread = nullptr;
  Plain<Claim*> next = nullptr;
  Atomic<bool> granted{false};
};

/// Those who claim one worker. Any thread pushes; only the thread that serves the worker pops, so
/// that the popped head cannot come back in between: no ABA.
class Claims {
 public:
  /// Relaxed: looked at between tasks; before it sleeps, the server looks after a full fence.
  bool any() const noexcept { return head_.load(relaxed) != nullptr; }

  void push(Claim& claim) noexcept {
    Claim* head = head_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      claim.next = head;
    } while (!head_.compare_exchange_weak(head, &claim, acq_rel, relaxed));  // publishes the claim
  }

  /// Gives the worker away; the caller must not touch it afterwards. Precondition: any().
  void grant_one() noexcept {
    Claim* head = head_.load(acquire);  // acquire: pairs with push
    while (!head_.compare_exchange_weak(head, head->next, acq_rel, acquire)) {
    }
    Parker* const thread = head->thread;     // immortal, unlike the claim
    head->granted.store(true, release);      // hands over all of the worker's plain members
    thread->unpark();
  }

 private:
  Atomic<Claim*> head_{nullptr};
};

/// One thread of a pool: serves a worker, or rests until told to; its hub may have work meanwhile.
struct PoolThread {
  explicit PoolThread(std::unique_ptr<io::detail::Hub> own_hub) noexcept;
  ~PoolThread();

  static constexpr std::uint32_t kRest = 0;
  static constexpr std::uint32_t kServe = 1;
  static constexpr std::uint32_t kStop = 2;

  Atomic<std::uint32_t> order{kRest};  ///< whoever changes it unparks the thread
  const std::unique_ptr<io::detail::Hub> hub;
  Worker* worker = nullptr;            ///< with kServe
  PoolThread* next_resting = nullptr;
  PoolThread* next_made = nullptr;
  std::thread thread;
};

/// The threads at rest that served one worker last. Whoever serves the worker pushes (itself, before
/// it gives the worker away) and pops (its relief, before it blocks): a popped head cannot come back
/// in between, so there is no ABA. A worker never has more threads than it had tasks blocked at once,
/// and one.
class RestingThreads {
 public:
  void push(PoolThread& thread) noexcept {
    thread.next_resting = head_;
    head_ = &thread;
  }
  PoolThread* pop() noexcept {
    PoolThread* const thread = head_;
    if (thread != nullptr) head_ = thread->next_resting;
    return thread;
  }

 private:
  PoolThread* head_ = nullptr;
};

}  // namespace weft::detail
