// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/frame_pool.hpp"

#include <new>

namespace weft::detail {

constinit thread_local FrameCache frame_cache;

namespace {

constinit FrameDepot depots[kFrameClasses];

void give_back(FrameList& list, std::size_t size_class) noexcept {
  if (list.free != nullptr) depots[size_class].put(list.free);
  while (FreeBlock* batch = list.batches) {
    list.batches = batch->next_batch;
    depots[size_class].put(batch);
  }
  // Destructors that run later in this thread free frames too: with room for one, each comes here.
  list = FrameList{.room = 1};
}

constinit thread_local bool thread_ends = false;

// Hands this thread's frames on when it ends; touched only where a list first gets blocks.
struct CacheReturner {
  bool armed = false;
  ~CacheReturner() {
    thread_ends = true;
    for (std::size_t c = 0; c < kFrameClasses; ++c) give_back(frame_cache.lists[c], c);
  }
};
thread_local CacheReturner cache_returner;

unsigned length(const FreeBlock* block) noexcept {
  unsigned n = 0;
  for (; block != nullptr; block = block->next) ++n;
  return n;
}

}  // namespace

void return_frames_at_exit() noexcept {
  if (!thread_ends) cache_returner.armed = true;  // constructs it, so that its destructor runs
}

void* refill_frames(FrameList& list, std::size_t size_class) {
  return_frames_at_exit();
  if (list.batches == nullptr) list.batches = depots[size_class].take_all();
  if (list.batches != nullptr) {
    list.free = list.batches;
    list.batches = list.batches->next_batch;
    list.room = 2 * kFrameBatch - length(list.free);
  } else {
    const std::size_t size = (size_class + 1) * kFrameStep;
    auto* chunk = static_cast<char*>(
        ::operator new(size * kFrameBatch, std::align_val_t{kFrameStep}));
    for (unsigned i = kFrameBatch; i-- > 0;) {
      auto* block = reinterpret_cast<FreeBlock*>(chunk + i * size);
      block->next = list.free;
      list.free = block;
    }
    list.room = kFrameBatch;
  }
  FreeBlock* block = list.free;
  list.free = block->next;
  ++list.room;
  if (thread_ends) give_back(list, size_class);
  return block;
}

void drain_frames(FrameList& list, std::size_t size_class) noexcept {
  if (thread_ends) return give_back(list, size_class);
  return_frames_at_exit();
  // Keep the batch that was freed last (its lines are warm), hand on the one below it.
  FreeBlock* last_kept = list.free;
  for (unsigned i = 1; i < kFrameBatch; ++i) last_kept = last_kept->next;
  FreeBlock* batch = last_kept->next;
  last_kept->next = nullptr;
  list.room = kFrameBatch;
  depots[size_class].put(batch);
}

void* allocate_large_frame(std::size_t size) {
  return ::operator new(size, std::align_val_t{kFrameStep});
}

void free_large_frame(void* frame, std::size_t size) noexcept {
  ::operator delete(frame, size, std::align_val_t{kFrameStep});
}

}  // namespace weft::detail
