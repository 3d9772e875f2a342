// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/detail/frame_pool.hpp"

#include <new>
#include <utility>

namespace weft::detail {

alignas(kCacheLine) constinit FreeBlock end_of_frames{nullptr, 0, nullptr};
constinit thread_local FrameCache frame_cache;

namespace {

// The empty list of a thread that ends: full as soon as a frame is freed.
constinit FreeBlock end_of_thread{nullptr, 2 * kFrameBatch, nullptr};

constinit FrameDepot depots[kFrameClasses];

void give_back(FrameList& list, std::size_t size_class) noexcept {
  if (list.free->next != nullptr) depots[size_class].put(list.free);
  while (FreeBlock* batch = list.batches) {
    list.batches = batch->next_batch;
    depots[size_class].put(batch);
  }
  // Destructors that run later in this thread free frames too: each comes here.
  list.free = &end_of_thread;
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

}  // namespace

void return_frames_at_exit() noexcept {
  if (!thread_ends) cache_returner.armed = true;  // constructs it, so that its destructor runs
}

void* refill_frames(FrameList& list, std::size_t size_class) noexcept {
  return_frames_at_exit();
  if (list.batches == nullptr) list.batches = depots[size_class].take_all();
  if (list.batches != nullptr) {
    list.free = list.batches;
    list.batches = list.batches->next_batch;
  } else {
    const std::size_t size = (size_class + 1) * kFrameStep;
    auto* chunk = static_cast<char*>(
        ::operator new(size * kFrameBatch, std::align_val_t{kFrameStep}, std::nothrow));
    if (chunk == nullptr) return nullptr;
    list.free = &end_of_frames;
    for (unsigned i = 0; i < kFrameBatch; ++i) {
      auto* block = reinterpret_cast<FreeBlock*>(chunk + (kFrameBatch - 1 - i) * size);
      block->next = list.free;
      block->length = i + 1;
      list.free = block;
    }
  }
  FreeBlock* block = list.free;
  list.free = block->next;
  if (thread_ends) give_back(list, size_class);
  return block;
}

void drain_frames(FrameList& list, std::size_t size_class) noexcept {
  if (thread_ends) {
    list.free->next = &end_of_frames;
    list.free->length = 1;
    return give_back(list, size_class);
  }
  return_frames_at_exit();
  // Keep the batch that was freed last (its lines are warm), hand on the one below it.
  FreeBlock* last_kept = list.free;
  for (unsigned length = kFrameBatch; length > 1; --length) {
    last_kept->length = length;
    last_kept = last_kept->next;
  }
  last_kept->length = 1;
  FreeBlock* batch = std::exchange(last_kept->next, &end_of_frames);
  depots[size_class].put(batch);
}

void* allocate_large_frame(std::size_t size) {
  return ::operator new(size, std::align_val_t{kFrameStep});
}

void free_large_frame(void* frame, std::size_t size) noexcept {
  ::operator delete(frame, size, std::align_val_t{kFrameStep});
}

}  // namespace weft::detail
