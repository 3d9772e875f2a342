// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What is to end although it waits for I/O: tasks whose Flowvars were dropped, and pools that are
/// destroyed. Their operations are cancelled, wherever those are. `docs/design/io.md`.

#include <optional>

#include "weft/detail/task_node.hpp"

namespace weft::detail {
class Scope;
struct PoolState;
struct Worker;
}

namespace weft::io::detail {

using weft::detail::Nest;
using weft::detail::PoolState;
using weft::detail::Scope;
using weft::detail::TaskNode;

class Hub;

/// A place in the list of all its kind in the process. One lock guards the lists, a link between tasks
/// that is in one of them is thus seen by whoever looks later.
template <class T>
struct Listed {
  T* previous_listed = nullptr;
  T* next_listed = nullptr;
};

/// From its construction to its destruction a task, or all tasks of a pool, are to come to their end.
/// Lives on the stack of the thread that waits for that. All hubs look for their operations, and again
/// whenever somebody starts an operation, or comes to wait for a frame.
class Drop : public Listed<Drop> {
 public:
  explicit Drop(const TaskNode& task) noexcept : Drop(&task, nullptr) {}
  explicit Drop(const PoolState& pool) noexcept : Drop(nullptr, &pool) {}
  Drop(const Drop&) = delete;
  Drop& operator=(const Drop&) = delete;
  ~Drop();

  /// True if it is of that frame, or of a pool that waits for it.
  bool is_of(const TaskNode& frame) const noexcept;

 private:
  Drop(const TaskNode* task, const PoolState* pool) noexcept;

  const TaskNode* const task_;
  const PoolState* const pool_;
};

/// While it exists, the nest that runs on a worker waits for a task, or for all tasks of a scope, and
/// blocks its thread.
class BlockedNest : public Listed<BlockedNest> {
 public:
  BlockedNest(const weft::detail::Worker& on, const TaskNode* awaited, const Scope* all_of) noexcept;
  BlockedNest(const BlockedNest&) = delete;
  BlockedNest& operator=(const BlockedNest&) = delete;
  ~BlockedNest();

  Nest nest;
  const TaskNode* const task;  ///< awaited, or
  const Scope* const scope;

 private:
  std::optional<Drop> drop_;  // of the highest nest whose result nobody wants
};

/// For a hub that has started an operation: whether it is to look.
bool any_drops() noexcept;

/// After a frame was parked on another, or on a scope: has all hubs look if something is dropped.
/// \param full_fences there is no heavy fence in this process
void look_again(bool full_fences) noexcept;

/// The hub is told of drops from now on. It goes on to ask for those that are under way.
void watch_for_drops(Hub& hub) noexcept;
void stop_watching(Hub& hub) noexcept;

/// All drops under way; none begins or ends while it exists.
class DropsView {
 public:
  DropsView() noexcept;
  ~DropsView();
  DropsView(const DropsView&) = delete;
  DropsView& operator=(const DropsView&) = delete;

  bool empty() const noexcept;
  /// True if one of those that are to end waits for `frame`, directly or through others. `frame` and so
  /// all that wait for it are suspended, or block their thread, and nobody can have them go on but the
  /// caller; or who blocks is about to go on, but has not left the list.
  bool waited_for_by(const TaskNode& frame) const noexcept;
};

}  // namespace weft::io::detail
