// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/scope.hpp"

#include <optional>
#include <utility>

#include "io/drops.hpp"
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
  scope->sync_scope.store(frame, release);  // pairs with DropsView
  scope->wait(waiter);  // may make the frame ready at once; we are suspended already
  w->look_for_drops();
  return true;
}

void ScopeEntry::leave() noexcept {
  scope->sync_scope.store(nullptr, relaxed);  // relaxed: no task is left that leads there
  scope->leave();  // a sync_all of another thread may wait for this scope too
  current_worker->enter(outer);
}

constinit thread_local BlockingScope* BlockingScope::innermost_ = nullptr;

BlockingScope::BlockingScope(PoolState& pool)
    : on_worker_(current_worker != nullptr),
      scope_((on_worker_ ? current_worker->pool : pool).acquire_scope()),
      outer_(on_worker_ ? current_worker->scope : nullptr),
      enclosing_(innermost_) {
  if (on_worker_) {
    current_worker->enter(scope_);
  } else {
    innermost_ = this;
  }
}

BlockingScope::~BlockingScope() {
  if (!on_worker_) innermost_ = enclosing_;
  {
    std::optional<io::detail::BlockedNest> blocked;
    if (on_worker_ && !scope_->quiet()) blocked.emplace(*current_worker, nullptr, scope_);
    scope_->pool.wait_until_quiet(*scope_);
  }
  if (on_worker_) current_worker->enter(outer_);
  scope_->pool.release_scope(scope_);
}

OutsideScope outside_scope(PoolState* pool) {
  using enum OutsideScope::Kind;
  const BlockingScope* const blocking = BlockingScope::innermost_;
  Scope* current = nullptr;
  if (current_worker != nullptr) {
    current = current_worker->scope;
  } else if (blocking != nullptr) {
    current = blocking->scope_;
  }
  if (current == nullptr) {
    return {(pool != nullptr ? *pool : *Threadpool::global().state_).root, kOfThread};
  }
  if (pool == nullptr || pool == &current->pool) return {current, kOfThread};
  // Tasks that go to and fro between pools stay in the scopes that they came from.
  for (Scope* s = current->enclosing; s != nullptr; s = s->enclosing) {
    if (&s->pool == pool) return {s, kEnclosing};
  }
  Scope* const inner = pool->acquire_scope();
  inner->enclosing = current;
  return {inner, kNew};
}

void end_joined(Scope* inner) noexcept {
  Scope* const outer = std::exchange(inner->enclosing, nullptr);
  inner->pool.release_scope(inner);
  // The other pool may end as soon as its scope is quiet.
  const Visits::Visit visit(outer->pool.visits);
  outer->outsider_ended();
}

}  // namespace detail

}  // namespace weft
