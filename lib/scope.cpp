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

namespace {
// Of a thread outside the pool, while it is inside Threadpool::sync_scope.
constinit thread_local detail::Scope* scope_of_this_thread = nullptr;
}

detail::Scope* detail::outside_scope(PoolState* pool) {
  Scope* const scope = scope_of_this_thread;
  if (scope != nullptr && (pool == nullptr || &scope->pool == pool)) return scope;
  return (pool != nullptr ? *pool : *Threadpool::global().state_).root;
}

Threadpool::BlockingScope::BlockingScope(Threadpool& pool)
    : pool_(*pool.state_),
      scope_(pool_.acquire_scope()),
      on_worker_(detail::current_worker != nullptr && &detail::current_worker->pool == &pool_),
      outer_(on_worker_ ? detail::current_worker->scope : scope_of_this_thread) {
  if (on_worker_) {
    detail::current_worker->enter(scope_);
  } else {
    scope_of_this_thread = scope_;
  }
}

Threadpool::BlockingScope::~BlockingScope() {
  // First: what this thread, as a worker of another pool, spawns from here on is not the body's.
  if (!on_worker_) scope_of_this_thread = outer_;
  pool_.wait_until_quiet(*scope_);
  if (on_worker_) detail::current_worker->enter(outer_);
  pool_.release_scope(scope_);
}

}  // namespace weft
