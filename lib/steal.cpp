// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where a worker gets its work when its own queue is empty. `docs/design/scheduler.md`.
#include <algorithm>
#include <utility>

#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"

namespace weft::detail {

namespace {

// Fewer tasks than this since the last steal: what we stole was short, so take more next time.
constexpr std::uint64_t kFewTasks = 4;

// How often a worker waits for its last victim before it leaves its scope: about a microsecond.
constexpr int kWaits = 3;

}  // namespace

TaskNode* Worker::steal_from(Taskqueue<TaskNode>& theirs, Taskqueue<TaskNode>& ours, bool open,
                             const void*& next_slot) noexcept {
  using enum Taskqueue<TaskNode>::Steal;
  TaskNode* node = nullptr;
  // What is public is seen without a look at the bottom, which its owner writes all the time.
  const bool look_at_bottom = open || full_fences;
  while (!look_at_bottom || theirs.size() != 0) {
    const auto outcome = open ? theirs.steal(node, index) : theirs.steal_public(node, next_slot);
    if (outcome == kEmpty) return nullptr;
    if (outcome == kLost) continue;
    node->thief.store(index + 1, relaxed);  // relaxed: a hint for whoever awaits it
    count(steals);
    const std::uint64_t done = executed.load(relaxed);
    steal_many = done - last_steal_at < kFewTasks;
    last_steal_at = done;
    if (steal_many) {
      std::int64_t more = std::min<std::int64_t>(theirs.size() / 2, 64);
      bool any = false;
      for (TaskNode* extra = nullptr; more > 0; --more) {
        if (theirs.steal_public(extra, next_slot) != kGot) break;
        extra->thief.store(index + 1, relaxed);  // relaxed: as above
        keep(extra, ours);
        any = true;
      }
      if (any) {
        count(steals_half);
        ours.share();
        notify_if_idle();  // they were out of sight for a moment, and we may not count as a searcher
      }
    }
    return node;
  }
  return nullptr;
}

TaskNode* Worker::steal_from(Worker& victim, bool leapfrog, bool open) noexcept {
  const void* next_slot = nullptr;
  TaskNode* node = steal_from(victim.queue, queue, open, next_slot);
  if (node != nullptr) {
    last_victim = &victim;
    likely_slot = next_slot;
  }
  if (leapfrog) {  // for a child's children, which are nowhere else
    if (node != nullptr) count(leapfrogs);
    return node;
  }
  return node != nullptr ? node : steal_beside(victim, open);
}

TaskNode* Worker::steal_beside(Worker& victim, bool open) noexcept {
  const void* unused = nullptr;
  TaskNode* const frame = steal_from(victim.ready, ready, open, unused);
  return frame != nullptr ? frame : steal_from(victim.arrived, arrived, open, unused);
}

TaskNode* Worker::take_oldest(Taskqueue<TaskNode>& from) noexcept {
  while (from.size() != 0) {
    from.share();  // at the old end the owner is one of those who may take what is public
    TaskNode* node = nullptr;
    if (from.steal_public(node) == Taskqueue<TaskNode>::Steal::kGot) return node;
  }
  return nullptr;
}

TaskNode* Worker::take_oldest(InjectionQueue& from, Taskqueue<TaskNode>& older) noexcept {
  TaskNode* oldest = take_oldest(older);
  TaskNode* rest = from.take_all();
  if (rest == nullptr) return oldest;
  if (oldest == nullptr) oldest = std::exchange(rest, rest->link);
  if (rest == nullptr) return oldest;
  do {
    keep(std::exchange(rest, rest->link), older);
  } while (rest != nullptr);
  older.share();
  notify_if_idle();
  return oldest;
}

TaskNode* Worker::take_ready() noexcept {
  if (!alone) return take_oldest(pool.brought_back, ready);
  TaskNode* others = pool.brought_back.take_all();
  while (others != nullptr) ready_alone.append(std::exchange(others, others->link));
  return ready_alone.take();
}

void Worker::hand_back() noexcept {
  while (TaskNode* const frame = take_oldest(ready)) pool.bring_back(frame);
  while (TaskNode* const node = take_oldest(arrived)) pool.inject(node);
}

TaskNode* Worker::try_take() noexcept {
  // leave_scope() may have made a frame ready since the queue was empty.
  if (TaskNode* node = queue.size() != 0 ? queue.pop() : nullptr) return node;
  if (TaskNode* frame = next_ready()) return frame;
  const auto n = static_cast<std::uint32_t>(pool.workers.size());
  random ^= random << 13;  // xorshift32 (Marsaglia 2003)
  random ^= random >> 17;
  random ^= random << 5;
  const auto from_any = [&](auto steal) noexcept -> TaskNode* {
    for (std::uint32_t i = 0, at = random % n; i < n; ++i, at = at + 1 == n ? 0 : at + 1) {
      if (at == index) continue;
      if (TaskNode* node = steal(*pool.workers[at])) return node;
    }
    return nullptr;
  };
  // Whoever spawns for as long as it runs always has something public. What lies beside that has its turn.
  if (std::exchange(look_beside, false)) {
    for (const bool open : {false, true}) {
      if (TaskNode* node = from_any([&](Worker& w) { return steal_beside(w, open); })) return node;
    }
  }
  if (leapfrog_victim != kNoWorker && leapfrog_victim != index) {
    if (TaskNode* node = steal_from(*pool.workers[leapfrog_victim], true, true)) return node;
  }
  leapfrog_victim = kNoWorker;
  if (TaskNode* node = take_oldest(pool.injected, arrived)) return node;
  if (TaskNode* frame = take_ready()) return frame;  // after all
  // First what costs nobody anything.
  for (const bool open : {false, true}) {
    if (TaskNode* node = from_any([&](Worker& w) { return steal_from(w, false, open); })) return node;
  }
  return nullptr;
}

TaskNode* Worker::steal_again() noexcept {
  if (last_victim == nullptr || leapfrog_victim != kNoWorker) return nullptr;
  if (io != nullptr || has_mail() || !pool.injected.empty()) return nullptr;  // a search sees to these
  if (look_beside) {
    // Others may have something, too, or this one in another queue.
    if (pool.workers.size() > 2 || full_fences) last_victim = nullptr;
    if (last_victim == nullptr || last_victim->something_beside()) return nullptr;
    look_beside = false;
  }
  __builtin_prefetch(likely_slot);  // or else the load of the front would have to end first
  TaskNode* node = steal_from(last_victim->queue, queue, false, likely_slot);
  // It may be just about to share something. Without membarrier all is public all the time.
  for (int i = 0; node == nullptr && i < kWaits && !full_fences; ++i) {
    relax();
    node = steal_from(last_victim->queue, queue, false, likely_slot);
  }
  if (node == nullptr || node->scope == scope) return node;
  // Whoever waits for the scope that we leave goes before it: will lie above it.
  push(node);
  leave_scope();
  return nullptr;
}

void Worker::found_work() noexcept {
  set_activity(Activity::kRunning);
  if (!pool.idle.end_search()) return;
  // We were the last to search, and somebody sleeps: whoever queued work meanwhile relied on us.
  if (!pool.work_visible()) {
    heavy_fence();
    if (!pool.work_visible()) return;
  }
  pool.notify();
}

void Worker::relax() noexcept {
  for (int i = 0; i < 16; ++i) spin_pause();
}

}  // namespace weft::detail
