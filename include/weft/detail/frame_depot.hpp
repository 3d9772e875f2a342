// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The shared list through which threads hand frames to each other. `docs/design/frame_pool.md`.

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"

namespace weft::detail {

/// A free frame: the memory of a frame with two links and a length in it.
struct FreeBlock {
  FreeBlock* next;               ///< in the same list
  unsigned length;               ///< of the list that begins here
  Plain<FreeBlock*> next_batch;  ///< the first block of each batch only
};

/// A stack of batches of one size. Batches are pushed one by one and taken all at once, so that
/// nobody ever reads a link of a block that may be in use again: no ABA, no tag, no hazard.
class alignas(64) FrameDepot {
 public:
  constexpr FrameDepot() = default;

  void put(FreeBlock* batch) noexcept {
    FreeBlock* head = head_.load(relaxed);  // relaxed: a guess for the exchange below
    do {
      batch->next_batch = head;
      // Release: pairs with take_all's acquire; the frames' last users are done with them.
    } while (!head_.compare_exchange_weak(head, batch, release, relaxed));
  }

  /// \return a list of batches by `next_batch`, or nullptr.
  FreeBlock* take_all() noexcept {
    // Relaxed look first: an empty depot should stay in everybody's cache.
    if (head_.load(relaxed) == nullptr) return nullptr;
    return head_.exchange(nullptr, acquire);  // acquire: pairs with put's release
  }

 private:
  Atomic<FreeBlock*> head_{nullptr};
};

}  // namespace weft::detail
