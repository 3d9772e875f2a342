// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The intrusive node: base of every promise, so that a coroutine frame is a task.

#include <coroutine>
#include <cstdint>

#include "weft/detail/state_word.hpp"

namespace weft::detail {

class Scope;

struct TaskAccess;

inline constexpr std::uint32_t kNoWorker = 0xFFFF'FFFF;

/// What the scheduler knows of a frame.
///
/// `inlined` is plain on purpose: it is set by the awaiter that is about to resume its own child
/// nested on its stack, and cleared by whoever runs the frame, on that same thread, before the
/// frame can become visible to another one (it parks). While it is set, the awaiter below us on
/// the stack is the only one who waits, so that the end of the frame needs no atomic at all.
struct TaskNode {
  StateWord state;                  ///< pending, done, detached, or who waits
  Scope* scope = nullptr;           ///< spawned: its scope. Parked: the scope to resume in
  TaskNode* link = nullptr;         ///< next in the injection list; a parked frame's record
  Atomic<std::uint32_t> thief{kNoWorker};  ///< the worker that stole it last: where to leapfrog
  bool inlined = false;             ///< runs nested in its awaiter
  bool spawned = false;             ///< counted in its scope, as opposed to called
  bool failed = false;              ///< the result slot holds an exception

  std::coroutine_handle<TaskNode> handle() noexcept {
    return std::coroutine_handle<TaskNode>::from_promise(*this);
  }
};

#ifndef WEFT_MODEL
static_assert(sizeof(TaskNode) <= 48, "the node adds at most 48 bytes to a frame");
#endif
static_assert(alignof(TaskNode) <= 16, "handle() relies on promises aligned as the frame header");

}  // namespace weft::detail
