// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Recycles coroutine frames: per-thread lists by size, refilled and drained in batches.

#include <cstddef>
#include <new>

#include "weft/detail/config.hpp"
#include "weft/detail/frame_depot.hpp"

namespace weft::detail {

inline constexpr std::size_t kFrameStep = 64;      ///< size classes, in bytes; also the alignment
inline constexpr std::size_t kFrameClasses = 16;   ///< larger frames come from operator new
inline constexpr unsigned kFrameBatch = 32;        ///< blocks that change hands together

/// The end of each list, but for threads that end. Never written to: a list is empty if its first block has no next one, and
/// the length of a list is in its first block, so that neither a new frame nor a freed one counts in
/// a word that all of them share.
extern WEFT_API FreeBlock end_of_frames;

/// One thread's free frames of one size. At most two batches stay, plus what a depot gave.
struct FrameList {
  FreeBlock* free = &end_of_frames;
  FreeBlock* batches = nullptr;   ///< whole batches taken from the depot
};

struct FrameCache {
  FrameList lists[kFrameClasses];
};

/// Initial-exec: one instruction to reach, in a shared library too.
extern WEFT_API constinit thread_local FrameCache frame_cache
    __attribute__((tls_model("initial-exec")));

/// \return the memory of a frame, or nullptr
WEFT_API void* refill_frames(FrameList& list, std::size_t size_class) noexcept;
WEFT_API void drain_frames(FrameList& list, std::size_t size_class) noexcept;
WEFT_API void* allocate_large_frame(std::size_t size);
WEFT_API void free_large_frame(void* frame, std::size_t size) noexcept;

/// Has this thread hand its free frames on when it ends. For threads that may free frames without
/// ever making one; making one does it too.
WEFT_API void return_frames_at_exit() noexcept;

/// refill_frames, for the sake of the registers of whoever makes a frame: they come back with a return
/// only, not with an exception.
WEFT_COLD WEFT_PRESERVE_MOST inline void* refill_frames_of(std::size_t size_class) noexcept {
  return refill_frames(frame_cache.lists[size_class], size_class);
}
[[noreturn]] WEFT_COLD inline void throw_no_frame() { throw std::bad_alloc(); }

/// Memory for a frame of `size` bytes, aligned to kFrameStep. \throws std::bad_alloc
inline void* allocate_frame(std::size_t size) {
  const std::size_t size_class = (size - 1) / kFrameStep;
  if (size_class >= kFrameClasses) [[unlikely]] return allocate_large_frame(size);
  FrameList& list = frame_cache.lists[size_class];
  FreeBlock* const block = list.free;
  FreeBlock* const next = block->next;
  if (next == nullptr) [[unlikely]] {
    void* const refilled = refill_frames_of(size_class);
    if (refilled == nullptr) throw_no_frame();
    return refilled;
  }
  list.free = next;
  return block;
}

/// `size` as given to allocate_frame; on any thread.
inline void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t size_class = (size - 1) / kFrameStep;
  if (size_class >= kFrameClasses) [[unlikely]] return free_large_frame(frame, size);
  FrameList& list = frame_cache.lists[size_class];
  auto* const block = static_cast<FreeBlock*>(frame);
  const unsigned length = list.free->length + 1;
  block->next = list.free;
  block->length = length;
  list.free = block;
  if (length >= 2 * kFrameBatch) [[unlikely]] drain_frames(list, size_class);
}

}  // namespace weft::detail
