// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The scope of ordinary code: what Threadpool::sync_scope holds while its body runs.

#include "weft/detail/config.hpp"

namespace weft::detail {

struct PoolState;
class Scope;
struct OutsideScope;

/// From its construction on the calling thread spawns into a new scope: on a worker, of that worker's
/// pool, elsewhere of `pool`. The destructor waits for it. They nest.
class BlockingScope {
 public:
  WEFT_API explicit BlockingScope(PoolState& pool);
  WEFT_API ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

 private:
  friend OutsideScope outside_scope(PoolState* pool);
  static constinit thread_local BlockingScope* innermost_;  // of this thread, on no worker

  const bool on_worker_;
  Scope* const scope_;
  Scope* const outer_;              // on a worker: the task's scope
  BlockingScope* const enclosing_;  // elsewhere: the next one
};

/// Where a task belongs that a thread spawns on a pool of which it is not a worker.
struct OutsideScope {
  enum class Kind {
    kOfThread,   ///< the root, or a blocking scope of the thread
    kEnclosing,  ///< one that waits for the spawning task anyway: it cannot be quiet, or refuse
    kNew,        ///< one that is to be joined to its `enclosing`, which is of another pool
  };
  Scope* scope;
  Kind kind;
};

/// \param pool nullptr: the pool of the innermost blocking scope, or else the global one
/// \throws std::bad_alloc
OutsideScope outside_scope(PoolState* pool);

}  // namespace weft::detail
