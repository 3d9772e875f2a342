// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The work-stealing deque of one worker, as its owner uses it. Invariants and orders:
/// `docs/design/taskqueue.md`.

#include <cstddef>
#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/queue_front.hpp"
#include "weft/detail/stealable.hpp"

namespace weft::detail {

/// The owner's side of a deque with the circular, growing array of Chase and Lev (SPAA 2005) and a
/// split as in Lace (van Dijk and van de Pol, 2014), which thieves can move too.
///
/// The owner pushes and pops at the bottom, thieves steal at the top, all of pointers to `T`. What
/// lies below the split is public: whoever takes it needs a compare-exchange. What lies above is
/// the owner's, who takes it with a store and a load and no fence between. A thief that finds
/// nothing public asks for it; if the owner does not pass by in time, the thief moves the split
/// itself, which costs a heavy fence: nothing is ever hidden for long.
///
/// `kPatience`: how long a thief waits for the owner's answer, in pauses: about as long as a heavy
/// fence takes.
template <class T, std::size_t kInitialCapacity = 256, int kPatience = 2000>
class Taskqueue : public Stealable<T, kPatience> {
  static_assert((kInitialCapacity & (kInitialCapacity - 1)) == 0);

 public:
  /// `full_fences`: there is no heavy fence, so each pop has one of its own.
  explicit Taskqueue(bool full_fences = !asymmetric_fences())
      : Stealable<T, kPatience>(kInitialCapacity, full_fences) {
    use(buffer_.load(relaxed), 0);  // relaxed: only we write it
  }

  /// Owner only. Makes sure that there is room for one more node.
  /// \throws std::bad_alloc if there is none to be had; the queue is then unchanged
  void make_room() {
    if (bottom_.load(relaxed) >= limit_) [[unlikely]] grow();  // relaxed: only we write it
  }

  /// Owner only. Precondition: make_room().
  void push(T* node) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    slots_[bottom].store(node, relaxed);                // relaxed: published by the next line
    // Release: pairs with the acquire in open() and size(); publishes slot, node and frame.
    bottom_.store(bottom + 1, release);
  }

  /// Owner only. \return the newest node, or nullptr.
  T* pop() noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    if (!take_from(bottom - 1, bottom)) return nullptr;
    return slots_[bottom - 1].load(relaxed);  // relaxed: likewise
  }

  /// Owner only. Pops `node` if it is the newest one. \return whether it did.
  bool pop_if(const T* node) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    // The slot of an empty queue may be a relic that says yes; then there is nothing to take.
    return slots_[bottom - 1].load(relaxed) == node && take_from(bottom - 1, bottom);
  }

  /// Owner only. Takes `node` from below at most `kSearchDepth` newer ones, which are turned
  /// around: children that are awaited oldest first then each come up in turn.
  /// \return whether `node` was taken.
  bool pop_buried(const T* node) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    const Front front(front_.load(relaxed));            // relaxed: a guess; take_from() decides
    std::int64_t depth = front.queued(bottom);
    if (depth > kSearchDepth) depth = kSearchDepth;
    const Slots slots = slots_;  // in registers, whatever is stored
    std::int64_t at = bottom - 1;
    while (at >= bottom - depth && slots[at].load(relaxed) != node) --at;
    if (at < bottom - depth || !take_from(at, bottom)) return false;
    // All from `at` on is ours now, and out of sight. take_from() left the bottom at `at`: then
    // `node` comes last and is cut off. Or one higher, if that index is used up.
    const std::int64_t first = bottom_.load(relaxed);  // relaxed: only we write it
    for (std::int64_t i = first, j = bottom - 1; i < j; ++i, --j) {
      T* const older = slots[i].load(relaxed);
      slots[i].store(slots[j].load(relaxed), relaxed);  // relaxed: published with the bottom
      slots[j].store(older, relaxed);
    }
    bottom_.store(first == at ? bottom - 1 : bottom, release);  // as in push()
    return true;
  }

  /// Owner only. Whether thieves may take without asking. Relaxed: a guess, as in share().
  bool something_public() const noexcept { return Front(front_.load(relaxed)).something_public(); }

  /// Owner only. Makes the older half public, unless something is, or there are fewer than `least`.
  void share(std::int64_t least = 1) noexcept {
    if (full_fences_) return;  // no need
    std::uint64_t word = front_.load(relaxed);  // relaxed: a guess for the exchange
    for (;;) {
      const Front front(word);
      const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
      const std::int64_t queued = front.queued(bottom);
      if (front.something_public() || queued < least) return;
      // Release: publishes the nodes and their slots. Our later pops see it, being ours.
      if (front_.compare_exchange_weak(word, Front::open(bottom - queued, half(queued)).word(),
                                       release, relaxed)) {
        return;
      }
    }
  }

  static constexpr std::int64_t kSearchDepth = 64;

 private:
  using Base = Stealable<T, kPatience>;
  using typename Base::Buffer;
  using Base::bottom_;
  using Base::buffer_;
  using Base::front_;
  using Base::full_fences_;
  using Base::half;

  /// The owner's copy of what it needs of the buffer.
  struct Slots {
    Atomic<T*>* first;
    std::int64_t mask;
    Atomic<T*>& operator[](std::int64_t i) const noexcept {
      return first[static_cast<std::size_t>(i & mask)];
    }
  };

  /// Lowers the bottom from `bottom` to `index`, and with it takes all nodes from there on, if the
  /// one at `index` is still there. \return false: a thief has it, and the bottom is as before.
  WEFT_INLINE bool take_from(std::int64_t index, std::int64_t bottom) noexcept {
    // Release: whoever reads this bottom must see the nodes below it.
    bottom_.store(index, release);
    light_fence();  // pairs with the heavy one in open()
    const Front front(front_.load(relaxed));  // relaxed: what is private is all ours
    if (front.is_private_below(index + 1)) [[likely]] return true;
    return take_from_slowly(index, bottom);
  }

  WEFT_NOINLINE bool take_from_slowly(std::int64_t index, std::int64_t bottom) noexcept {
    if (full_fences_) full_fence();  // pairs with the one in steal_fenced(): between two accesses
    std::uint64_t word = front_.load(relaxed);  // relaxed: as in take_from()
    for (;;) {
      const Front front(word);
      if (front.is_private_below(index + 1)) return true;
      const std::int64_t above_top = front.queued(index);
      if (full_fences_ && above_top > 0) return true;
      if (above_top < 0) {
        bottom_.store(bottom, release);  // release: as above
        return false;
      }
      // The oldest node of all: whoever advances top has it, so its index is never used again.
      // Otherwise half of what lies below stays public, or becomes it if a thief asks.
      const Front left = full_fences_     ? front.next()
                         : above_top == 0 ? Front::open(index + 1, 0)
                                          : Front::open(index - above_top, half(above_top));
      // Release: may publish nodes. Relaxed on failure: all that is ours we wrote ourselves.
      if (front_.compare_exchange_weak(word, left.word(), release, relaxed)) {
        if (above_top == 0) bottom_.store(index + 1, release);  // release: as above
        return true;
      }
    }
  }

  void use(Buffer* buffer, std::int64_t top) noexcept {
    slots_ = {buffer->slots.get(), buffer->mask};
    limit_ = top + buffer->mask + 1;
  }

  WEFT_COLD void grow() {
    const std::int64_t bottom = bottom_.load(relaxed);  // relaxed: only we write it
    Buffer* const full = buffer_.load(relaxed);         // relaxed: only we write it
    // Acquire: slots below top may be written again only after the thief has read them.
    const std::int64_t top = bottom - Front(front_.load(acquire)).queued(bottom);
    if (bottom - top <= full->mask) return use(full, top);
    auto* const bigger = new Buffer(2 * static_cast<std::size_t>(full->mask + 1), full);
    for (std::int64_t i = top; i < bottom; ++i) {
      bigger->slot(i).store(full->slot(i).load(relaxed), relaxed);  // published by the next line
    }
    buffer_.store(bigger, release);  // pairs with the acquire in steal()
    use(bigger, top);
  }

  // These lie behind the bottom, on the owner's line.
  Slots slots_;
  std::int64_t limit_;  // bottom may not pass it; top at some time, plus the capacity
};

}  // namespace weft::detail
