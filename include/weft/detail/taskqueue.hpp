// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The work-stealing deque of one worker. Invariants and orders: `docs/design/taskqueue.md`.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"

namespace weft::detail {

/// The dynamic circular deque of Chase and Lev (SPAA 2005) with the C11 orders of Lê et al.
/// (PPoPP 2013), except that the two sequentially consistent fences are sequentially consistent
/// operations: a fence is an `mfence` on clang, and no race detector sees it.
///
/// The owner pushes and pops at the bottom, thieves steal at the top, all of pointers to `T`.
/// Invariant: top <= bottom but for the moment of a pop from an empty queue; the slots in
/// [top, bottom) hold the queued nodes, oldest at the top.
template <class T, std::size_t kInitialCapacity = 256>
class Taskqueue {
  static_assert((kInitialCapacity & (kInitialCapacity - 1)) == 0);

 public:
  Taskqueue() {
    top_.store(0, relaxed);
    bottom_.store(0, relaxed);
    auto* const buffer = new Buffer(kInitialCapacity, nullptr);
    buffer_.store(buffer, relaxed);
    use(buffer, 0);
  }
  ~Taskqueue() {
    for (Buffer* b = buffer_.load(relaxed); b != nullptr;) {
      Buffer* older = b->older;
      delete b;
      b = older;
    }
  }
  Taskqueue(const Taskqueue&) = delete;
  Taskqueue& operator=(const Taskqueue&) = delete;

  /// Owner only. Makes sure that there is room for one more node.
  /// \throws std::bad_alloc if there is none to be had; the queue is then unchanged
  void make_room() {
    if (bottom_.load(relaxed) >= limit_) [[unlikely]] grow();  // relaxed: only we write it
  }

  /// Owner only. Precondition: make_room().
  void push(T* node) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    slot(bottom).store(node, relaxed);                  // relaxed: published by the next line
    // Release: pairs with the acquire of bottom in steal(); publishes slot, node and frame.
    bottom_.store(bottom + 1, release);
  }

  /// Owner only. \return the newest node, or nullptr.
  T* pop() noexcept {
    const std::int64_t bottom = bottom_.load(relaxed) - 1;  // relaxed: only we write it
    // Seq_cst store, then seq_cst load: pairs with the opposite order in steal(). Either the thief
    // sees that we took the slot, or we see that it took it.
    bottom_.store(bottom, seq_cst);
    std::int64_t top = top_.load(seq_cst);
    if (top < bottom) [[likely]] return slot(bottom).load(relaxed);  // relaxed: only we write it
    T* node = nullptr;
    if (top == bottom) {
      // The last one: whoever advances top has it. Seq_cst as in steal(), relaxed on failure
      // because then there is nothing to read.
      node = slot(bottom).load(relaxed);
      if (!top_.compare_exchange_strong(top, top + 1, seq_cst, relaxed)) node = nullptr;
    }
    bottom_.store(bottom + 1, relaxed);  // relaxed: publishes nothing new
    return node;
  }

  /// Owner only. Pops `node` if it is the newest one. \return whether it did.
  bool pop_if(const T* node) noexcept {
    return newest_slot() == node && pop() != nullptr;
  }

  /// Owner only. Takes `node` from below at most `kSearchDepth` newer ones, which are turned
  /// around on the way: children that are awaited oldest first then each come up in turn.
  /// \return whether `node` was taken.
  bool pop_buried(const T* node) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    const std::int64_t top = top_.load(relaxed);        // relaxed: a guess; pop() decides
    std::int64_t at = bottom - 1;
    const std::int64_t limit = bottom - kSearchDepth > top ? bottom - kSearchDepth : top;
    while (at >= limit && slot(at).load(relaxed) != node) --at;
    if (at < limit) return false;
    T* above[kSearchDepth];
    std::size_t count = 0;
    T* popped = nullptr;
    while ((popped = pop()) != nullptr && popped != node) above[count++] = popped;
    for (std::size_t i = 0; i < count; ++i) push(above[i]);  // there is room: they were in here
    return popped != nullptr;
  }

  enum class Steal { kGot, kEmpty, kLost };

  /// Any thread. Takes the oldest node. kLost: somebody else was faster, there may be more.
  Steal steal(T*& node) noexcept {
    std::int64_t top = top_.load(seq_cst);                 // seq_cst: pairs with pop()
    const std::int64_t bottom = bottom_.load(seq_cst);     // and acquires what push() published
    if (top >= bottom) return Steal::kEmpty;
    // Acquire: pairs with make_room's release, so that we see the copied slots.
    node = buffer_.load(acquire)->slot(top).load(relaxed);
    // Seq_cst: takes its place between pop()'s store and load. Relaxed on failure: nothing taken.
    return top_.compare_exchange_strong(top, top + 1, seq_cst, relaxed) ? Steal::kGot
                                                                        : Steal::kLost;
  }

  /// Any thread. A snapshot: by the time it is read it may be wrong.
  std::int64_t size() const noexcept {
    const std::int64_t top = top_.load(acquire);        // acquire: top before bottom, so that a
    const std::int64_t bottom = bottom_.load(acquire);  // queue never looks emptier than it was
    return bottom > top ? bottom - top : 0;
  }

  static constexpr std::int64_t kSearchDepth = 64;

 private:
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

  // For the owner, what buffer_ points to.
  Atomic<T*>& slot(std::int64_t i) const noexcept {
    return slots_[static_cast<std::size_t>(i & mask_)];
  }
  const T* newest_slot() const noexcept {
    return slot(bottom_.load(relaxed) - 1).load(relaxed);  // relaxed: all ours
  }

  void use(Buffer* buffer, std::int64_t top) noexcept {
    slots_ = buffer->slots.get();
    mask_ = buffer->mask;
    limit_ = top + buffer->mask + 1;
  }

  WEFT_COLD void grow() {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    Buffer* const full = buffer_.load(relaxed);         // relaxed: only we write it
    // Acquire: slots below top may be written again only after the thief has read them.
    const std::int64_t top = top_.load(acquire);
    if (bottom - top <= full->mask) return use(full, top);
    auto* const bigger = new Buffer(2 * static_cast<std::size_t>(full->mask + 1), full);
    for (std::int64_t i = top; i < bottom; ++i) {
      bigger->slot(i).store(full->slot(i).load(relaxed), relaxed);  // published by the next line
    }
    buffer_.store(bigger, release);  // pairs with the acquire in steal()
    use(bigger, top);
  }

  alignas(kCacheLine) Atomic<std::int64_t> top_;     // thieves, and pop() of the last node
  alignas(kCacheLine) Atomic<std::int64_t> bottom_;  // owner
  Atomic<Buffer*> buffer_;                           // owner
  Atomic<T*>* slots_;                                // owner: the buffer's
  std::int64_t mask_;                                // owner: the buffer's
  std::int64_t limit_;  // owner: bottom may not pass it; top_ at some time, plus the capacity
};

}  // namespace weft::detail
