// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The word in which the owner of a queue and its thieves meet. States and transitions:
/// `docs/design/taskqueue.md`.

#include <cstdint>

namespace weft::detail {

/// Where the public part of a queue begins and ends, or who is about to make one.
///
/// Open: the nodes of [top, split) are public, those of [split, bottom) are the owner's alone.
/// Opening: a thief found nothing public and asks for some; nothing can be taken until the owner
/// or that thief has set a split. The split then stands far beyond any bottom, so that the owner's
/// one comparison, which has to be made anyway, stops at it.
///
/// Fenced: for want of membarrier(2) the queue stays as if opening for ever. There is no split
/// then, and all nodes are anybody's who keeps to the deque of Chase and Lev.
///
/// Bits: split (24 to 63), number of public nodes (15 to 23), the thief that asks (0 to 14).
/// Indices are modulo 2^40 and compared by their difference.
class Front {
 public:
  constexpr explicit Front(std::uint64_t word) noexcept : word_(word) {}
  static constexpr Front open(std::int64_t top, std::int64_t count) noexcept {
    return Front((static_cast<std::uint64_t>(top + count) << kSplitShift) |
                 (static_cast<std::uint64_t>(count) << kCountShift));
  }
  static constexpr Front fenced() noexcept { return Front(kFar + kThiefMask); }
  /// Precondition: fenced. The oldest node is taken.
  constexpr Front next() const noexcept { return Front(word_ + kOneSplit); }
  /// Precondition: open, and nothing is public. `thief` below kMaxThieves.
  constexpr Front asked_by(std::uint32_t thief) const noexcept {
    return Front(word_ + kFar + thief + 1);
  }
  /// Precondition: opening.
  constexpr Front taken_over_by(std::uint32_t thief) const noexcept {
    return Front((word_ & ~kThiefMask) + thief + 1);
  }
  /// Precondition: open, and something is public. What a thief that takes the oldest node leaves.
  constexpr Front without_oldest() const noexcept { return Front(word_ - kOneNode); }

  constexpr std::uint64_t word() const noexcept { return word_; }
  constexpr bool opening() const noexcept { return (word_ & kThiefMask) != 0; }
  constexpr std::int64_t count() const noexcept {
    return static_cast<std::int64_t>((word_ & kCountMask) >> kCountShift);
  }
  /// Thieves may take something now.
  constexpr bool something_public() const noexcept { return !opening() && count() != 0; }

  /// Open, and the node below index `end` and all newer ones are the owner's. The owner's fast
  /// path: a shift, a subtraction and a test of the sign.
  constexpr bool is_private_below(std::int64_t end) const noexcept {
    return static_cast<std::int64_t>(word_ - (static_cast<std::uint64_t>(end) << kSplitShift)) < 0;
  }
  /// How many nodes lie in [top, bottom). Negative if `bottom` is below top.
  constexpr std::int64_t queued(std::int64_t bottom) const noexcept {
    std::uint64_t top = (word_ & ~(kOneSplit - 1)) -
                        ((word_ & kCountMask) >> kCountShift << kSplitShift);
    if (opening()) top -= kFar;
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(bottom) << kSplitShift) - top) >>
           kSplitShift;
  }
  /// Modulo 2^40.
  constexpr std::int64_t top() const noexcept { return -queued(0); }

  static constexpr std::int64_t kMaxCount = 511;
  static constexpr std::uint32_t kMaxThieves = 32'767;

 private:
  static constexpr unsigned kSplitShift = 24;
  static constexpr unsigned kCountShift = 15;
  static constexpr std::uint64_t kOneSplit = std::uint64_t{1} << kSplitShift;
  static constexpr std::uint64_t kOneNode = std::uint64_t{1} << kCountShift;
  static constexpr std::uint64_t kCountMask = kOneSplit - kOneNode;
  static constexpr std::uint64_t kThiefMask = kOneNode - 1;
  static constexpr std::uint64_t kFar = std::uint64_t{1} << 62;

  std::uint64_t word_;
};

}  // namespace weft::detail
