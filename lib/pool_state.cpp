// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the workers of a pool share: how it is made, what comes from outside, and its scopes.
#include "weft/detail/pool_state.hpp"

#include <stdexcept>
#include <utility>

#include "io/helpers.hpp"
#include "io/hub.hpp"
#include "weft/detail/watchdog.hpp"

namespace weft::detail {

PoolState::PoolState(Threadpool& owner, int num_threads, bool caller_participates,
                     bool pin_threads, bool io_thread)
    : self(owner),
      has_caller(caller_participates && num_threads > 1),
      has_io_thread(io_thread),
      helpers(std::make_unique<io::detail::Helpers>()) {
  asymmetric_fences();  // registers, before any worker asks
  const auto n = static_cast<std::uint32_t>(num_threads);
  workers.reserve(n);
  for (std::uint32_t i = 0; i < n; ++i) workers.push_back(std::make_unique<Worker>(*this, i, n == 1));
  root = acquire_scope();
  try {
    watchdog_ = Watchdog::from_environment(*this);
    start_threads(pin_threads);
  } catch (...) {
    stop_threads();
    free_scopes();
    throw;
  }
}

PoolState::~PoolState() { free_scopes(); }

void PoolState::free_scopes() noexcept {
  Scope* scope = all_scopes_.load(relaxed);  // relaxed: nobody else is left
  while (scope != nullptr) delete std::exchange(scope, scope->next_made);
}

// ---- spawning from outside -----------------------------------------------------------------

void PoolState::count_outside_spawn(TaskNode* node, OutsideScope in) {
  using enum OutsideScope::Kind;
  Scope& scope = *in.scope;
  if (in.kind == kEnclosing) {
    scope.outsider_spawned();
  } else if (!closing.try_enter(scope)) {
    if (in.kind == kNew) {
      scope.enclosing = nullptr;
      release_scope(&scope);
    }
    throw std::logic_error("weft: spawn on a Threadpool that is shut down");
  }
  if (in.kind == kNew) scope.join();
  node->spawned = true;
  node->scope = &scope;
}

void PoolState::spawn_from_outside(TaskNode* node, OutsideScope in) {
  count_outside_spawn(node, in);
  inject(node);
}

void PoolState::inject(TaskNode* node) noexcept { put(injected, node); }

void PoolState::bring_back(TaskNode* frame) noexcept { put(brought_back, frame); }

void PoolState::put(InjectionQueue& where, TaskNode* node) noexcept {
  const Visits::Visit visit(visits);  // once it is pushed, the frame may run, end, and with it the pool
  where.push(node);  // seq_cst; the look below comes after it
  notify();
  bell.ring();
}

void PoolState::notify() noexcept {
  // Relaxed: the event count's exchange acquired what its bit published.
  if (idle.notify_one() == EventCount::Woke::kCaller) caller_parker.load(relaxed)->unpark();
}

bool PoolState::work_visible() const noexcept {
  if (!injected.empty() || !brought_back.empty() || claims.any(seq_cst)) return true;
  for (const auto& worker : workers) {
    if (worker->queue.size() != 0 || worker->ready.size() != 0 || worker->arrived.size() != 0 ||
        !worker->ready_alone.empty()) {
      return true;
    }
  }
  return false;
}

void spawn_slowly(TaskNode* node, PoolState* pool) {
  Worker* const w = current_worker;
  if (w != nullptr && (pool == nullptr || pool == &w->pool)) return spawn_node(node);
  const OutsideScope in = outside_scope(pool);
  in.scope->pool.spawn_from_outside(node, in);
}

// ---- scopes at rest ------------------------------------------------------------------------

Scope* PoolState::acquire_scope() {
  Worker* const w = current_worker;
  if (w != nullptr && &w->pool == this && w->scopes_at_rest != nullptr) {
    --w->num_scopes_at_rest;
    return std::exchange(w->scopes_at_rest, w->scopes_at_rest->next_free);
  }
  // Not every one, but so many that few are made while there are some to be had. Scopes stay in the
  // list, so there is no ABA. Acquire: pairs with the push below.
  Scope* scope = next_look_.load(acquire);
  for (int looks = 0; looks < kMostLooks; ++looks) {
    if (scope == nullptr && (scope = all_scopes_.load(acquire)) == nullptr) break;
    // Relaxed first: no exchange on what others use. Acquire: pairs with release_scope.
    if (!scope->in_use.load(relaxed) && !scope->in_use.exchange(true, acquire)) {
      next_look_.store(scope->next_made, release);  // passes on what we acquired
      return scope;
    }
    scope = scope->next_made;
  }
  next_look_.store(scope, release);  // on from here next time: those may be in use for long
  scope = new Scope(*this, workers.size());
  Scope* head = all_scopes_.load(relaxed);  // relaxed: a guess for the exchange
  do {
    scope->next_made = head;
    // Seq_cst: publishes the scope, and stands before a spawner's look at the closing gate.
  } while (!all_scopes_.compare_exchange_weak(head, scope, seq_cst, relaxed));
  return scope;
}

void PoolState::release_scope(Scope* scope) noexcept {
  Worker* const w = current_worker;
  // Bounded: one worker may end what another always begins.
  if (w != nullptr && &w->pool == this && w->num_scopes_at_rest < kMostScopesAtRest) {
    ++w->num_scopes_at_rest;
    scope->next_free = std::exchange(w->scopes_at_rest, scope);
  } else {
    scope->in_use.store(false, release);  // pairs with acquire_scope
  }
}

void PoolState::add_scope_counts(std::size_t worker, WorkerMetrics& to) const noexcept {
  // Acquire: pairs with acquire_scope's release. Counters relaxed: statistics.
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {
    const Scope::Counters& c = s->counters(worker);
    to.tasks_spawned += c.spawned.load(relaxed);
    if (worker == 0) to.tasks_spawned += s->counters(workers.size()).spawned.load(relaxed);
    to.awaits_inline += c.inlined.load(relaxed);
  }
  to.tasks_executed += to.awaits_inline;
}

bool PoolState::quiet() const noexcept {
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {  // as above
    if (!s->quiet()) return false;
  }
  return true;
}

std::uint64_t PoolState::scope_activity() const noexcept {
  std::uint64_t sum = 0;
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {  // as above
    sum += s->activity();
  }
  return sum;
}

}  // namespace weft::detail
