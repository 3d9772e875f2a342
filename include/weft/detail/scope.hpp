// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Knows when every task of a scope has ended, without an atomic read-modify-write per task.
/// Protocol and proof: `docs/design/scope.md`.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail {

struct TaskNode;
struct PoolState;

/// Makes a suspended frame runnable on the pool it belongs to; from any thread. lib/worker.cpp
WEFT_API void resume_on_own_pool(TaskNode* frame) noexcept;

class Scope;

/// The end of a scope that is joined to one of another pool. lib/scope.cpp
void end_joined(Scope* inner) noexcept;

/// Who waits until a scope is quiet: a suspended frame, another scope, or a sleeping thread.
struct ScopeWaiter {
  Plain<ScopeWaiter*> next = nullptr;
  Plain<TaskNode*> frame = nullptr;  ///< resumed, if set
  Plain<Scope*> joined = nullptr;    ///< otherwise ended, if set
  Plain<Parker*> thread = nullptr;   ///< otherwise unparked, after `quiet` was set
  Atomic<bool> quiet{false};
};

/// Counts the tasks spawned and ended, per worker, in two counters that only grow.
///
/// A scope is quiet when the sum of all `ended`, read first, equals the sum of all `spawned`, read
/// after it (Mattern, "Algorithms for distributed termination detection", 1987). A counter has
/// one writer, except for those of threads outside the pool. Whoever ended a task of the scope
/// calls `leave()` before it turns to anything else, and that wakes the waiters of a quiet scope.
/// Scopes are recycled but live as long as their pool, since a `leave()` may come late.
class Scope {
 public:
  struct alignas(64) Counters {
    Atomic<std::uint64_t> spawned{0};
    Atomic<std::uint64_t> inlined{0};  ///< ended nested in their awaiter
    Atomic<std::uint64_t> ended{0};    ///< ended in any other way
  };

  Scope(PoolState& owner, std::size_t num_workers)
      : pool(owner), num_counters_(num_workers + 1), counters_(new Counters[num_workers + 1]) {}

  /// Adds one to a counter of which the caller is the only writer. Release: pairs with sum();
  /// not a read-modify-write: nobody else writes it.
  static void add_one(Atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(relaxed) + 1, release);
  }

  Counters& counters(std::size_t worker) noexcept { return counters_[worker]; }

  /// For threads outside the pool, many writers. Seq_cst: ClosingGate relies on it.
  void outsider_spawned() noexcept { outside().spawned.fetch_add(1, seq_cst); }
  void outsider_ended() noexcept {
    outside().ended.fetch_add(1, seq_cst);
    leave();
  }

  /// Acquire on every counter: a counted end happens before the return of true. Seq_cst on
  /// `spawned`: after ClosingGate::close() every spawner that it let pass has to be seen.
  bool quiet() const noexcept {
    std::uint64_t ended = 0;
    for (std::size_t i = 0; i < num_counters_; ++i) {
      ended += counters_[i].ended.load(acquire) + counters_[i].inlined.load(acquire);
    }
    std::uint64_t spawned = joined_.load(seq_cst);
    for (std::size_t i = 0; i < num_counters_; ++i) spawned += counters_[i].spawned.load(seq_cst);
    return ended == spawned;
  }

  /// After the last of one or more tasks that the caller ended, before it does anything else but look for
  /// one more of this scope where it stole last.
  void leave() noexcept {
    // A read-modify-write, so that it and wait()'s push are ordered: either we see the waiter, or
    // the waiter sees our counters. Likewise for two workers that leave at the same time.
    if (waiters_.fetch_add(0, acq_rel) != 0) [[unlikely]] wake_if_quiet();
  }

  /// Registers a waiter; if the scope is quiet now, it is woken at once.
  void wait(ScopeWaiter& waiter) noexcept {
    push(&waiter, &waiter);
    wake_if_quiet();
  }

  /// Makes `enclosing` wait for this scope, as for one more task. Once, when the first task has been
  /// counted here and cannot have ended.
  void join() noexcept {
    enclosing->joined_.fetch_add(1, seq_cst);  // as outsider_spawned()
    end_.joined = this;
    wait(end_);
  }

  /// Sum of all counters, for the watchdog: changes when anything happens.
  std::uint64_t activity() const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < num_counters_; ++i) {
      sum += counters_[i].spawned.load(relaxed) + counters_[i].inlined.load(relaxed) +
             counters_[i].ended.load(relaxed);  // relaxed: a picture
    }
    return sum;
  }
  const Counters& counters(std::size_t worker) const noexcept { return counters_[worker]; }

  PoolState& pool;
  Scope* enclosing = nullptr;  ///< of another pool, if this one is to be joined to it
  Atomic<TaskNode*> sync_scope{nullptr};  ///< its frame, if that waits: as long as a task here has not ended
  Atomic<bool> in_use{true};   ///< false: anyone may acquire it
  Scope* next_free = nullptr;  ///< among those at rest at a worker
  Scope* next_made = nullptr;  ///< in the pool's list of all scopes

  // Of DropsView, whose lock guards them:
  mutable std::uint64_t last_look = 0;  ///< the number of the look that has come here
  mutable const Scope* next_to_look_at = nullptr;

 private:
  Counters& outside() noexcept { return counters_[num_counters_ - 1]; }

  void push(ScopeWaiter* first, ScopeWaiter* last) noexcept {
    std::uintptr_t head = waiters_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      last->next = reinterpret_cast<ScopeWaiter*>(head);
      // Acq_rel: release the node; acquire the counters of those who left before (see leave()).
    } while (!waiters_.compare_exchange_weak(head, reinterpret_cast<std::uintptr_t>(first),
                                             acq_rel, relaxed));
  }

  void wake_if_quiet() noexcept {
    while (quiet()) {
      // Take the list, and only then look: a waiter of a later use of this scope may be in it.
      auto* list = reinterpret_cast<ScopeWaiter*>(waiters_.exchange(0, acq_rel));
      if (list == nullptr) return;
      if (quiet()) return wake(list);
      ScopeWaiter* last = list;
      while (last->next != nullptr) last = last->next;
      push(list, last);
    }
  }

  WEFT_COLD static void wake(ScopeWaiter* list) noexcept {
    while (list != nullptr) {
      ScopeWaiter& waiter = *list;
      list = waiter.next;  // first: the waiter is gone once it was woken
      if (waiter.frame != nullptr) {
        resume_on_own_pool(waiter.frame);
      } else if (waiter.joined != nullptr) {
        end_joined(waiter.joined);
      } else {
        Parker* const thread = waiter.thread;
        waiter.quiet.store(true, release);  // pairs with the acquire in wait_until_quiet
        thread->unpark();                   // immortal, unlike the waiter
      }
    }
  }

  alignas(64) Atomic<std::uintptr_t> waiters_{0};  // a stack; only ever taken whole, so no ABA
  const std::size_t num_counters_;
  const std::unique_ptr<Counters[]> counters_;
  Atomic<std::uint64_t> joined_{0};  // scopes that this one waits for, also counted by outsider_ended()
  ScopeWaiter end_;                  // if it is joined to another scope
};

}  // namespace weft::detail
