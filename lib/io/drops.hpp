// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Tasks whose Flowvars were dropped while they had not ended: their operations are cancelled.
/// `docs/design/io.md`.

#include "weft/detail/task_node.hpp"

namespace weft::io::detail {

/// From its construction to its destruction a task is to come to its end. Lives on the stack of the
/// thread that waits for that, which goes on to tell the pool's hubs. From then on whoever starts an
/// operation, or parks a frame on another, sees that there is a drop, and has the hubs look again.
class Drop {
 public:
  explicit Drop(const weft::detail::TaskNode* task) noexcept;
  Drop(const Drop&) = delete;
  Drop& operator=(const Drop&) = delete;
  ~Drop();

 private:
  friend class DropsView;
  const weft::detail::TaskNode* task_;
  Drop* previous_ = nullptr;
  Drop* next_ = nullptr;
};

/// Seq_cst: a hub becomes active, or starts an operation, and then asks; the dropper counts itself
/// and then tells the hubs that are active.
bool any_drops() noexcept;

/// All drops under way; none begins or ends while it exists.
class DropsView {
 public:
  DropsView() noexcept;
  ~DropsView();
  DropsView(const DropsView&) = delete;
  DropsView& operator=(const DropsView&) = delete;

  bool empty() const noexcept;
  /// True if one of the tasks waits for `frame`, directly or through others. `frame` and so all
  /// that wait for it are suspended, and nobody can resume them but the caller.
  bool waited_for_by(const weft::detail::TaskNode* frame) const noexcept;
};

}  // namespace weft::io::detail
