// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/scope.hpp"

#include "weft/detail/pool_state.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/watchdog.hpp"
#include "weft/detail/worker.hpp"
#include "weft/sync_scope.hpp"
#include "weft/threadpool.hpp"

namespace weft {

namespace detail {

ScopeEntry::ScopeEntry()
    : outer(current_worker->scope), scope(current_worker->pool.acquire_scope()) {
  current_worker->enter(scope);
}

ScopeEntry::~ScopeEntry() { outer->pool.release_scope(scope); }

bool ScopeEntry::park(TaskNode* frame) noexcept {
  Worker* const w = current_worker;
  w->before_park(frame);
  if (w->parked != nullptr) [[unlikely]] w->parked->add(frame, nullptr);
  waiter.frame = frame;
  scope->wait(waiter);  // may make the frame ready at once; we are suspended already
  return true;
}

void ScopeEntry::leave() noexcept {
  scope->leave();  // a sync_all of another thread may wait for this scope too
  current_worker->enter(outer);
}

}  // namespace detail

constinit thread_local Threadpool::BlockingScope* Threadpool::BlockingScope::innermost_ = nullptr;

detail::Scope* detail::outside_scope(PoolState* pool) {
  using Blocking = Threadpool::BlockingScope;
  for (const Blocking* b = Blocking::innermost_; b != nullptr; b = b->enclosing_) {
    if (pool == nullptr || &b->pool_ == pool) return b->scope_;
  }
  return (pool != nullptr ? *pool : *Threadpool::global().state_).root;
}

Threadpool::BlockingScope::BlockingScope(Threadpool& pool)
    : pool_(*pool.state_),
      scope_(pool_.acquire_scope()),
      on_worker_(detail::current_worker != nullptr && &detail::current_worker->pool == &pool_),
      outer_(on_worker_ ? detail::current_worker->scope : nullptr),
      enclosing_(innermost_) {
  if (on_worker_) {
    detail::current_worker->enter(scope_);
  } else {
    innermost_ = this;
  }
}

Threadpool::BlockingScope::~BlockingScope() {
  // First: what this thread, as a worker of another pool, spawns from here on is not the body's.
  if (!on_worker_) innermost_ = enclosing_;
  pool_.wait_until_quiet(*scope_);
  if (on_worker_) detail::current_worker->enter(outer_);
  pool_.release_scope(scope_);
}

}  // namespace weft
