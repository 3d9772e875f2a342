// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Random task graphs that follow from a seed. `plan` says what the node with a given seed and budget
// does; the parallel run and the serial check both read it, so they agree on the graph and on every
// value by construction, and only weft can make them differ.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::test {

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, seedable with anything.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}
  constexpr std::uint64_t operator()() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return (*this)() % bound; }

 private:
  std::uint64_t state_;
};

/// What a parent does with one child.
enum class Use : std::uint8_t { kAwait, kCall, kDetach, kDrop, kSync, kScope, kOtherPool };

struct Child {
  std::uint64_t seed = 0;
  std::uint64_t budget = 0;  // tasks in its subtree, itself included
  Use use = Use::kAwait;
  bool throws = false;
};

struct Plan {
  static constexpr std::size_t kMaxChildren = 8;
  std::array<Child, kMaxChildren> children{};
  std::array<std::uint8_t, kMaxChildren> order{};  // in which the kept handles are consumed
  std::size_t count = 0;
  std::uint64_t salt = 0;
};

inline Use pick_use(Random& random) {
  const std::uint64_t dice = random.below(256);
  if (dice < 140) return Use::kAwait;
  if (dice < 180) return Use::kCall;
  if (dice < 210) return Use::kDetach;
  if (dice < 235) return Use::kDrop;
  if (dice < 245) return Use::kScope;
  if (dice < 252) return Use::kOtherPool;
  return Use::kSync;
}

inline Plan plan(std::uint64_t seed, std::uint64_t budget) {
  Random random(seed);
  Plan p;
  p.salt = random();
  std::uint64_t left = budget - 1;
  const std::size_t wanted = 1 + static_cast<std::size_t>(random.below(Plan::kMaxChildren));
  while (left > 0 && p.count < wanted) {
    const bool last = p.count + 1 == wanted;
    Child& child = p.children[p.count];
    child.seed = random();
    child.budget = last ? left : 1 + random.below(left);
    child.use = pick_use(random);
    // What leaves a detached task, or a scope's task that nobody awaits, would end the program.
    child.throws = child.use != Use::kDetach && random.below(16) == 0;
    left -= child.budget;
    ++p.count;
  }
  for (std::size_t i = 0; i < p.count; ++i) {
    const auto j = static_cast<std::size_t>(random.below(i + 1));
    p.order[i] = p.order[j];
    p.order[j] = static_cast<std::uint8_t>(i);
  }
  return p;
}

/// How a child's value enters its parent's. Commutative, as order is not promised.
inline std::uint64_t blend(std::uint64_t value, std::size_t index, bool thrown) noexcept {
  return (value ^ (thrown ? 0x5bd1e995U : 0U)) * (2 * index + 3);
}

/// The value and, in `nobody`, the sum of the values that no parent looks at.
inline std::uint64_t serial(std::uint64_t seed, std::uint64_t budget, std::uint64_t& nobody) {
  const Plan p = plan(seed, budget);
  std::uint64_t value = p.salt;
  for (std::size_t i = 0; i < p.count; ++i) {
    const Child& child = p.children[i];
    const std::uint64_t from_child = serial(child.seed, child.budget, nobody);
    if (child.use == Use::kDetach || child.use == Use::kDrop) {
      nobody += from_child;
    } else {
      value += blend(from_child, i, child.throws);
    }
  }
  return value;
}

}  // namespace weft::test
