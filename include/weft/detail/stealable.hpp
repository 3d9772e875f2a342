// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What thieves see of a worker's deque. Invariants and orders: `docs/design/taskqueue.md`.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/queue_front.hpp"

namespace weft::detail {

/// The thieves' side of a Taskqueue, and the words that both sides share.
template <class T, int kPatience>
class Stealable {
 public:
  Stealable(const Stealable&) = delete;
  Stealable& operator=(const Stealable&) = delete;

  enum class Steal { kGot, kEmpty, kLost };

  /// Any thread. Takes the oldest node. kLost: somebody else was faster, there may be more.
  /// `thief`: no two threads may use the same number at the same time.
  Steal steal(T*& node, std::uint32_t thief) noexcept {
    const Steal outcome = steal_public(node);
    return outcome == Steal::kEmpty && !full_fences_ ? open(node, thief) : outcome;
  }

  /// Any thread. The same, of what is public.
  Steal steal_public(T*& node) noexcept {
    const void* next_slot = nullptr;
    return steal_public(node, next_slot);
  }
  /// \param next_slot if there was something: where the next oldest node will be, to be prefetched
  Steal steal_public(T*& node, const void*& next_slot) noexcept {
    // Acquire: pairs with whoever made the nodes public, and so, through him, with push().
    std::uint64_t word = front_.load(acquire);
    const Front front(word);
    if (!front.something_public()) return full_fences_ ? steal_fenced(node, front) : Steal::kEmpty;
    // Acquire: pairs with grow(), so that we see the copied slots.
    const Atomic<T*>& slot = buffer_.load(acquire)->slot(front.top());
    node = slot.load(relaxed);
    next_slot = &slot + 1;
    // Release: the slot was read before it may be used again. Relaxed on failure: nothing taken.
    return front_.compare_exchange_strong(word, front.without_oldest().word(), release, relaxed)
               ? Steal::kGot
               : Steal::kLost;
  }

  /// Any thread. A snapshot: by the time it is read it may be wrong.
  std::int64_t size() const noexcept {
    const Front front(front_.load(acquire));  // acquire: the front before the bottom, so that a
    const std::int64_t queued = front.queued(bottom_.load(acquire));  // queue never looks emptier
    return queued > 0 ? queued : 0;                                   // than it was
  }

 protected:
  struct Buffer {
    Buffer(std::size_t capacity, Buffer* older_buffer)
        : mask(static_cast<std::int64_t>(capacity) - 1),
          slots(new Atomic<T*>[capacity]),
          older(older_buffer) {
      for (std::size_t i = 0; i < capacity; ++i) slots[i].store(nullptr, relaxed);
    }
    Atomic<T*>& slot(std::int64_t i) const noexcept {
      return slots[static_cast<std::size_t>(i & mask)];
    }
    const std::int64_t mask;
    const std::unique_ptr<Atomic<T*>[]> slots;
    Buffer* const older;  // thieves may still read it, so it is freed with the queue
  };

  Stealable(std::size_t capacity, bool full_fences) : full_fences_(full_fences) {
    front_.store((full_fences ? Front::fenced() : Front::open(0, 0)).word(), relaxed);
    bottom_.store(0, relaxed);
    buffer_.store(new Buffer(capacity, nullptr), relaxed);
  }
  ~Stealable() {
    for (Buffer* b = buffer_.load(relaxed); b != nullptr;) {
      Buffer* older = b->older;
      delete b;
      b = older;
    }
  }

  static std::int64_t half(std::int64_t queued) noexcept {
    const std::int64_t half = (queued + 1) / 2;
    return half < Front::kMaxCount ? half : Front::kMaxCount;
  }

  alignas(kCacheLine) Atomic<std::uint64_t> front_;  ///< written by all: a Front
  // What else a thief reads of which nothing is public, or who takes that:
  Atomic<Buffer*> buffer_;  ///< written by the owner
  const bool full_fences_;
  alignas(kCacheLine) Atomic<std::int64_t> bottom_;  ///< written by the owner, all the time

 private:
  static constexpr int kPausesPerYield = 256;

  /// A thief's way if nothing is public: asks the owner for something, and in the end takes it.
  WEFT_NOINLINE Steal open(T*& node, std::uint32_t thief) noexcept {
    const Front front(front_.load(acquire));  // acquire: before the bottom, as in size()
    if (front.something_public()) return Steal::kLost;
    Front asked = front;
    if (!front.opening()) {
      // Acquire: as in size().
      if (front.queued(bottom_.load(acquire)) <= 0) return Steal::kEmpty;
      asked = front.asked_by(thief);
      std::uint64_t word = front.word();
      // Relaxed: says nothing but itself; the heavy fence sees to its order.
      if (!front_.compare_exchange_strong(word, asked.word(), relaxed, relaxed)) {
        return Steal::kLost;
      }
    }
    // Longer with another thief, who may be at the fence; else two could take over from each other
    // for ever. The owner may be waiting for this very CPU.
    for (int i = front.opening() ? 8 * kPatience : kPatience; i > 0; --i) {
      if (front_.load(relaxed) != asked.word()) return Steal::kLost;  // relaxed: we start again
      i % kPausesPerYield == 0 ? yield_cpu() : spin_pause();
    }
    if (front.opening()) {  // somebody asked before us, and got stuck: from here on it is our turn
      asked = front.taken_over_by(thief);  // relaxed: as above
      std::uint64_t word = front.word();
      if (!front_.compare_exchange_strong(word, asked.word(), relaxed, relaxed)) {
        return Steal::kLost;
      }
    }
    // From here on each pop by which the owner takes a node either sees the question, or has
    // lowered the bottom before we read it.
    heavy_fence();
    // Acquire: pairs with the owner's stores of the bottom, and so with push().
    const std::int64_t queued = asked.queued(bottom_.load(acquire));
    const std::int64_t top = asked.top();
    node = buffer_.load(acquire)->slot(top).load(relaxed);  // acquire: as in steal()
    const Front left = queued > 0 ? Front::open(top + 1, half(queued) - 1) : Front::open(top, 0);
    std::uint64_t word = asked.word();
    // Only we write this very word, so nothing has happened since we asked. Release: passes on what
    // we acquired with the bottom.
    if (!front_.compare_exchange_strong(word, left.word(), release, relaxed)) return Steal::kLost;
    return queued > 0 ? Steal::kGot : Steal::kEmpty;
  }

  WEFT_NOINLINE Steal steal_fenced(T*& node, Front front) noexcept {
    full_fence();  // pairs with the one in take_from_slowly()
    if (front.queued(bottom_.load(acquire)) <= 0) return Steal::kEmpty;  // acquire: as in open()
    node = buffer_.load(acquire)->slot(front.top()).load(relaxed);       // acquire: as in steal()
    std::uint64_t word = front.word();
    return front_.compare_exchange_strong(word, front.next().word(), release, relaxed)
               ? Steal::kGot
               : Steal::kLost;
  }
};

}  // namespace weft::detail
