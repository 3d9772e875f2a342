// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/drops.hpp"

#include <utility>

#include "io/drop_counts.hpp"
#include "io/hub.hpp"
#include "io/linked.hpp"
#include "weft/detail/mutex.hpp"
#include "weft/detail/scope.hpp"
#include "weft/detail/worker.hpp"

namespace weft::io::detail {

using weft::detail::Mutex;

namespace {

// For all pools: what is dropped may wait for another one's tasks, and for a Reactor.
constinit DropCounts counts;
constinit Drop* drops = nullptr;
constinit Hub* hubs = nullptr;
constinit BlockedNest* blocked = nullptr;

Mutex& lock() noexcept {
  static Mutex mutex;
  return mutex;
}

template <class T>
void add(T*& list, T& entry) noexcept {
  link_first<&T::previous_listed, &T::next_listed>(list, entry);
}

template <class T>
void remove(T*& list, T& entry) noexcept {
  unlink<&T::previous_listed, &T::next_listed>(list, entry);
}

void tell_of_drops() noexcept {
  if (!counts.any_hubs()) return;
  const Mutex::Guard guard(lock());
  for (Hub* hub = hubs; hub != nullptr; hub = hub->next_listed) hub->post_drop();
}

}  // namespace

// ---- who drops, who blocks, who looks ------------------------------------------------------

Drop::Drop(const TaskNode* task, const PoolState* pool) noexcept : task_(task), pool_(pool) {
  {
    const Mutex::Guard guard(lock());
    add(drops, *this);
  }
  counts.begin_drop();
  tell_of_drops();
}

Drop::~Drop() {
  const Mutex::Guard guard(lock());
  remove(drops, *this);
  counts.end_drop();
}

bool Drop::is_of(const TaskNode& frame) const noexcept {
  if (task_ != nullptr) return task_ == &frame;
  for (const Scope* scope = frame.scope; scope != nullptr; scope = scope->enclosing) {
    if (&scope->pool == pool_) return true;
  }
  return false;
}

BlockedNest::BlockedNest(const Worker& on, const TaskNode* awaited, const Scope* all_of) noexcept
    : nest(on.nest), task(awaited), scope(all_of) {
  nest.scope = on.scope;
  {
    const Mutex::Guard guard(lock());
    add(blocked, *this);
  }
  // A drop that is not counted yet tells its hubs later, and those see us in the list.
  if (any_drops()) [[unlikely]] tell_of_drops();
  // What is dropped on top of the dropper is run there before anybody waits for it. All wait for the highest.
  for (const Nest* one = &nest; one != nullptr; one = one->below) {
    if (one->dropped && one->root != nullptr) {
      drop_.emplace(*one->root);
      break;
    }
  }
}

BlockedNest::~BlockedNest() {
  const Mutex::Guard guard(lock());
  remove(blocked, *this);
}

bool any_drops() noexcept { return counts.any_drops(); }

void look_again(bool full_fences) noexcept {
  if (counts.linked(full_fences)) [[unlikely]] tell_of_drops();
}

void watch_for_drops(Hub& hub) noexcept {
  {
    const Mutex::Guard guard(lock());
    add(hubs, hub);
  }
  counts.begin_hub();
}

void stop_watching(Hub& hub) noexcept {
  const Mutex::Guard guard(lock());
  remove(hubs, hub);
  counts.end_hub();
}

// ---- a look --------------------------------------------------------------------------------

DropsView::DropsView() noexcept { lock().lock(); }
DropsView::~DropsView() { lock().unlock(); }

bool DropsView::empty() const noexcept { return drops == nullptr; }

namespace {

bool is_dropped(const TaskNode& frame) noexcept {
  for (const Drop* drop = drops; drop != nullptr; drop = drop->next_listed) {
    if (drop->is_of(frame)) return true;
  }
  return false;
}

// One search: up the frames, each of which waits for one other, and so cannot be come to twice; and for each, all
// that wait for its scope, once.
class Look {
 public:
  bool finds_drop_above(const TaskNode& first) noexcept {
    if (climb(&first)) return true;
    while (scopes_ != nullptr) {
      const Scope& scope = *std::exchange(scopes_, scopes_->next_to_look_at);
      // Acquire: pairs with ScopeEntry::park, as we look at the frame.
      if (climb(scope.sync_scope.load(acquire))) return true;
      for (const BlockedNest* entry = blocked; entry != nullptr; entry = entry->next_listed) {
        if (entry->scope == &scope && climb(entry->nest)) return true;
      }
    }
    return false;
  }

 private:
  // Who waits for a scope waits for those that are joined to it, too.
  void note(const Scope* scope) noexcept {
    for (; scope != nullptr && scope->last_look != number_; scope = scope->enclosing) {
      scope->last_look = number_;
      scope->next_to_look_at = std::exchange(scopes_, scope);
    }
  }

  bool climb(const TaskNode* frame) noexcept {
    while (frame != nullptr) {
      if (is_dropped(*frame)) return true;
      note(frame->scope);
      if (const TaskNode* const awaiter = frame->state.waiting_frame()) {
        frame = awaiter;
        continue;
      }
      const BlockedNest* entry = blocked;
      while (entry != nullptr && entry->task != frame) entry = entry->next_listed;
      return entry != nullptr && climb(entry->nest);
    }
    return false;
  }

  // Each nest waits for the one above it. Who waits for the lowest, its root knows.
  bool climb(const Nest& highest) noexcept {
    for (const Nest* nest = &highest;; nest = nest->below) {
      note(nest->scope);
      if (nest->below == nullptr) return climb(nest->root);
      if (nest->root == nullptr) continue;
      if (is_dropped(*nest->root)) return true;
      note(nest->root->scope);
    }
  }

  static inline std::uint64_t last_number = 0;
  const std::uint64_t number_ = ++last_number;
  const Scope* scopes_ = nullptr;  // to be looked at
};

}  // namespace

bool DropsView::waited_for_by(const TaskNode& frame) const noexcept {
  return Look().finds_drop_above(frame);
}

}  // namespace weft::io::detail
