// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The scope of ordinary code: what Threadpool::sync_scope holds while its body runs.

#include "weft/detail/config.hpp"

namespace weft::detail {

struct PoolState;
class Scope;

/// From its construction on the calling thread spawns into a new scope: on a worker, of that worker's
/// pool, elsewhere of `pool`. The destructor waits for it. They nest.
class BlockingScope {
 public:
  WEFT_API explicit BlockingScope(PoolState& pool);
  WEFT_API ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

 private:
  friend Scope* outside_scope(PoolState* pool);
  static constinit thread_local BlockingScope* innermost_;  // of this thread, on no worker

  const bool on_worker_;
  Scope* const scope_;
  Scope* const outer_;              // on a worker: the task's scope
  BlockingScope* const enclosing_;  // elsewhere: the next one
};

/// The scope for a task that this thread, which is no worker of `pool`, spawns there. If it spawns
/// into a scope of another pool, and that is not just the root, a new one that is joined to it:
/// that one waits for it. `pool` nullptr: the pool of the innermost blocking scope, or the global one.
/// \throws std::bad_alloc
Scope* outside_scope(PoolState* pool);

}  // namespace weft::detail
