// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/watchdog.hpp"

#include <dlfcn.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "weft/detail/futex.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"

namespace weft::detail {

// ---- ParkedFrames: all relaxed; the picture matters only when nothing moves -----------------

void ParkedFrames::add(TaskNode* frame, TaskNode* awaited) noexcept {
  const std::size_t home = std::hash<TaskNode*>{}(frame) / 64;
  for (std::size_t i = 0; i < kProbes; ++i) {
    Entry& entry = entries[(home + i) % kEntries];
    TaskNode* empty = nullptr;
    if (entry.frame.compare_exchange_strong(empty, frame, relaxed, relaxed)) {
      entry.awaited.store(awaited, relaxed);
      return;
    }
  }
  unlisted.fetch_add(1, relaxed);
}

void ParkedFrames::remove(TaskNode* frame) noexcept {
  const std::size_t home = std::hash<TaskNode*>{}(frame) / 64;
  for (std::size_t i = 0; i < kProbes; ++i) {
    Entry& entry = entries[(home + i) % kEntries];
    if (entry.frame.load(relaxed) == frame) return entry.frame.store(nullptr, relaxed);
  }
}

// ---- Watchdog ------------------------------------------------------------------------------

namespace {

const char* name(Activity activity) noexcept {
  switch (activity) {
    case Activity::kAbsent: return "no thread";
    case Activity::kRunning: return "running";
    case Activity::kSearching: return "searching";
    case Activity::kSleeping: return "sleeping";
  }
  return "?";
}

// The resume function of a frame, null once it is at its end. Not synchronised with its worker: of a
// pool in which nothing moves this is right, and of one that moves again just then it may be wrong.
__attribute__((no_sanitize("thread"), noinline)) void* resume_function(void* frame) noexcept {
  return *static_cast<void**>(frame);
}

// The coroutine that a frame belongs to, by its resume function. dladdr knows the exported ones;
// addr2line knows the rest.
void print_frame(const char* role, TaskNode* node) {
  void* const frame = node->handle().address();
  void* const resume = resume_function(frame);
  Dl_info info{};
  if (resume == nullptr) {
    std::fprintf(stderr, "%s%p (ended)", role, frame);
  } else if (dladdr(resume, &info) != 0 && info.dli_sname != nullptr) {
    std::fprintf(stderr, "%s%p (%s)", role, frame, info.dli_sname);
  } else if (info.dli_fname != nullptr) {
    const auto offset = static_cast<char*>(resume) - static_cast<char*>(info.dli_fbase);
    std::fprintf(stderr, "%s%p (%s+0x%tx)", role, frame, info.dli_fname, offset);
  } else {
    std::fprintf(stderr, "%s%p (code at %p)", role, frame, resume);
  }
}

}  // namespace

std::unique_ptr<Watchdog> Watchdog::from_environment(PoolState& pool) {
  const char* const text = std::getenv("WEFT_WATCHDOG");
  const int seconds = text == nullptr ? 0 : std::atoi(text);
  if (seconds <= 0) return nullptr;
  return std::unique_ptr<Watchdog>(new Watchdog(pool, seconds));
}

Watchdog::Watchdog(PoolState& pool, int seconds)
    : pool_(pool), seconds_(seconds), parked_(std::make_unique<ParkedFrames>()) {
  for (const auto& worker : pool_.workers) worker->parked = parked_.get();
  thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  stop_.store(1, relaxed);  // relaxed: the join below orders everything
  futex_wake(stop_, 1);
  thread_.join();
}

std::uint64_t Watchdog::progress() const noexcept {
  // Relaxed throughout: a sum that differs from the last one is all that is asked.
  std::uint64_t sum = 0;
  for (const auto& w : pool_.workers) {
    sum += w->executed.load(relaxed) + w->steals.load(relaxed) + w->awaits_parked.load(relaxed) +
           w->sleeps.load(relaxed) + w->wakes.load(relaxed);
  }
  return sum + pool_.scope_activity();
}

void Watchdog::watch() {
  std::uint64_t last = progress();
  while (stop_.load(relaxed) == 0) {
    if (futex_wait_for(stop_, 0, std::int64_t{1000} * seconds_)) continue;
    const std::uint64_t now = progress();
    if (now == last && !pool_.quiet()) print();
    last = now;
  }
}

void Watchdog::print() const {
  std::fprintf(stderr, "weft watchdog: pool %p has unfinished tasks and nothing moved for %d s\n",
               static_cast<void*>(&pool_.self), seconds_);
  for (const auto& w : pool_.workers) {
    std::fprintf(stderr,
                 "  worker %" PRIu32 ": %s, %" PRId64 " queued, %" PRId64 " from outside, %" PRId64
                 " ready after I/O%s\n",
                 w->index, name(static_cast<Activity>(w->activity.load(relaxed))), w->queue.size(),
                 w->arrived.size(), w->ready.size(), w->ready_alone.empty() ? "" : " (and more)");
  }
  std::fprintf(stderr, "  from outside: %s\n", pool_.injected.empty() ? "nothing queued" : "queued");
  std::fprintf(stderr, "  from I/O: %s\n", pool_.brought_back.empty() ? "nothing ready" : "ready");
  for (const ParkedFrames::Entry& entry : parked_->entries) {
    TaskNode* const frame = entry.frame.load(relaxed);
    TaskNode* const awaited = entry.awaited.load(relaxed);
    if (frame == nullptr) continue;
    print_frame("  parked frame ", frame);
    if (awaited != nullptr) {
      print_frame(" awaits ", awaited);
      const std::uint32_t thief = awaited->thief.load(relaxed);
      if (thief != 0) std::fprintf(stderr, ", stolen by worker %" PRIu32, thief - 1);
    } else {
      std::fprintf(stderr, " awaits the end of a sync_scope, or something outside of weft");
    }
    std::fputc('\n', stderr);
  }
  if (const auto more = parked_->unlisted.load(relaxed); more != 0) {
    std::fprintf(stderr, "  at least %" PRIu64 " frames were parked without being listed\n", more);
  }
}

}  // namespace weft::detail
