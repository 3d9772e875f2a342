// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The state word of a task: one word in which the end of a task meets whoever waits for it.
/// States, transitions and proof: `docs/design/state_word.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail {

struct TaskNode;

/// Pending, done, detached, or a waiter. At most one party ever waits (it owns the Flowvar), and
/// the finisher never touches the frame after its one exchange, unless that told it to free it.
///
/// Happens before: everything the task did -> `finish()` -> `is_done()` returning true, a `park`
/// that returns false, or the resumption of the waiter.
class StateWord {
 public:
  /// What the finisher found, and so has to do.
  class Waiter {
   public:
    explicit Waiter(std::uintptr_t word) noexcept : word_(word) {}
    bool none() const noexcept { return word_ == kPending; }
    bool detached() const noexcept { return word_ == kDetached; }
    bool is_thread() const noexcept { return (word_ & kThreadTag) != 0; }
    TaskNode* frame() const noexcept { return reinterpret_cast<TaskNode*>(word_); }
    Parker* thread() const noexcept { return reinterpret_cast<Parker*>(word_ - kThreadTag); }

   private:
    std::uintptr_t word_;
  };

  /// The end of the task.
  Waiter finish() noexcept {
    // Acquire: pairs with detach(), after which nobody but us touches the frame: no exchange.
    if (word_.load(acquire) == kDetached) return Waiter(kDetached);
    // Acq_rel: publishes the result to the waiter, and acquires the waiter's frame (its park was a
    // release) which the caller is about to resume.
    return Waiter(word_.exchange(kDone, acq_rel));
  }

  /// Acquire: pairs with finish(), so that the result may be read.
  bool is_done() const noexcept { return word_.load(acquire) == kDone; }

  /// Leaves a suspended frame to be resumed by the finisher. \return false: done already.
  bool park(TaskNode* frame) noexcept { return leave(reinterpret_cast<std::uintptr_t>(frame)); }

  /// Leaves a thread to be unparked by the finisher. \return false: done already.
  bool park(Parker* thread) noexcept {
    return leave(reinterpret_cast<std::uintptr_t>(thread) + kThreadTag);
  }

  /// Leaves the frame to the finisher, who will destroy it. \return false: done already, so the
  /// caller destroys it.
  bool detach() noexcept { return leave(kDetached); }

  /// Before the task is visible to anyone else.
  void init_detached() noexcept { word_.store(kDetached, relaxed); }

  /// The frame that waits, if one does. Acquire: pairs with its park, so that it can be looked at.
  TaskNode* waiting_frame() const noexcept {
    const std::uintptr_t word = word_.load(acquire);
    const bool frame = word > kDone && (word & kThreadTag) == 0;
    return frame ? reinterpret_cast<TaskNode*>(word) : nullptr;
  }

  /// For the watchdog. Relaxed: a picture, not a synchronisation.
  std::uintptr_t peek() const noexcept { return word_.load(relaxed); }

 private:
  // Frames and parkers are aligned to 8 at least, so small numbers and low bits are free.
  static constexpr std::uintptr_t kPending = 0;
  static constexpr std::uintptr_t kThreadTag = 1;
  static constexpr std::uintptr_t kDetached = 2;
  static constexpr std::uintptr_t kDone = 4;

  bool leave(std::uintptr_t word) noexcept {
    std::uintptr_t expected = kPending;
    // Release: publishes the suspended frame to the finisher. Acquire on failure: the only other
    // value is kDone, and the caller goes on to read the result.
    return word_.compare_exchange_strong(expected, word, acq_rel, acquire);
  }

  Atomic<std::uintptr_t> word_{kPending};
};

}  // namespace weft::detail
