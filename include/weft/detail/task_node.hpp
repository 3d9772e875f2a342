// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The intrusive node: base of every promise, so that a coroutine frame is a task.

#include <coroutine>
#include <cstdint>
#include <utility>

#include "weft/detail/result_slot.hpp"
#include "weft/detail/state_word.hpp"

namespace weft::detail {

class Scope;

struct TaskAccess;

inline constexpr std::uint32_t kNoWorker = 0xFFFF'FFFF;

/// Whoever awaits a frame, as far as that frame knows it: `Awaited` in awaited.hpp. One word, so that
/// one store sets it up: the frame's address, or what the frame has left here, and then it is gone.
class AwaitedBase {
 public:
  AwaitedBase(const AwaitedBase&) = delete;
  AwaitedBase& operator=(const AwaitedBase&) = delete;

  /// The frame has left its result, or what it threw, here.
  bool ended_here() const noexcept { return word_ <= word(Outcome::kException); }
  /// Its result.
  bool has_value() const noexcept { return word_ == word(Outcome::kValue); }

  /// From the return of await_ready to the call of await_suspend: the frame ran, but parked.
  void set_started() noexcept { word_ += kStarted; }
  bool take_started() noexcept { return (std::exchange(word_, word_ & ~kStarted) & kStarted) != 0; }

 protected:
  explicit AwaitedBase(void* frame) noexcept { set_frame(frame); }

  /// Precondition: ended_here().
  Outcome outcome() const noexcept { return static_cast<Outcome>(word_); }
  /// Precondition: not ended_here().
  void* frame() const noexcept { return reinterpret_cast<void*>(word_); }
  void set_outcome(Outcome outcome) noexcept { word_ = word(outcome); }
  void set_frame(void* frame) noexcept { word_ = reinterpret_cast<std::uintptr_t>(frame); }

 private:
  static constexpr std::uintptr_t kStarted = 1;  // frames are aligned, and not that low in memory
  static constexpr std::uintptr_t word(Outcome outcome) noexcept {
    return static_cast<std::uintptr_t>(outcome);
  }
  std::uintptr_t word_;
};

/// What the scheduler knows of a frame.
///
/// `nested_in` is plain on purpose: it is set by the awaiter that is about to resume its own child
/// nested on its stack, and cleared by whoever runs the frame, on that same thread, before the
/// frame can become visible to another one (it parks). While it is set, the awaiter below us on
/// the stack is the only one who waits: the frame leaves its result there and destroys itself, and
/// its end needs no atomic at all.
struct TaskNode {
  StateWord state;                   ///< pending, done, detached, or who waits
  AwaitedBase* nested_in = nullptr;  ///< the awaiter that it runs nested in
  Outcome outcome = Outcome::kNothing;  ///< of the promise's own slot
  bool spawned = false;              ///< counted in its scope, as opposed to called
  std::uint16_t unused = 0;          ///< so that one store sets all of this up
  Atomic<std::uint32_t> thief{0};    ///< number + 1 of who stole it last: where to leapfrog
  // Set before they are read:
  Scope* scope;                      ///< spawned: its scope. Parked: the scope to resume in
  TaskNode* link;                    ///< next in a list of the pool's or a hub's

  std::coroutine_handle<TaskNode> handle() noexcept {
    return std::coroutine_handle<TaskNode>::from_promise(*this);
  }
};

/// Frames that run nested in one another on one stack, by the lowest of them; and the nest whose code has
/// resumed that one, and waits for it.
struct Nest {
  const TaskNode* root = nullptr;  ///< nullptr: may be gone, while foreign code runs that it has awaited
  const Nest* below = nullptr;
  const Scope* scope = nullptr;  ///< in which the code runs that waits
  bool dropped = false;          ///< nobody wants the root's result
};

#ifndef WEFT_MODEL
static_assert(sizeof(TaskNode) <= 48, "the node adds at most 48 bytes to a frame");
#endif
static_assert(alignof(TaskNode) <= 16, "handle() relies on promises aligned as the frame header");

}  // namespace weft::detail
