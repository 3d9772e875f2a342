// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The deadlines of one hub's operations.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// A heap of four children per node (Johnson 1975) in an array: O(log n) for each call, and what is
/// compared lies side by side. An operation knows its place, so that any can be removed. Its
/// `deadline` is kNever unless it is in the heap.
class TimerHeap {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  /// The one that is due first. Precondition: not empty.
  Operation& first() const noexcept { return *heap_.front().operation; }
  /// Its deadline. The same.
  Nanoseconds next() const noexcept { return heap_.front().deadline; }

  /// Precondition: it is not in the heap, and `deadline` is not kNever.
  /// \return false: there is no memory, nothing has changed. Never after a remove without an add since.
  bool add(Operation& op, Nanoseconds deadline) noexcept {
    const Timer timer{deadline, &op};
    try {
      heap_.push_back(timer);
    } catch (...) {  // std::bad_alloc
      return false;
    }
    op.with_extras().deadline = deadline;
    rise(heap_.size() - 1, timer);
    return true;
  }

  /// Nothing, unless it is in the heap.
  void remove(Operation& op) noexcept {
    Extras* const extras = op.extras();
    if (extras == nullptr || extras->deadline == kNever) return;
    extras->deadline = kNever;
    const std::size_t place = extras->heap_place;
    const Timer last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    if (place != 0 && last.deadline < heap_[parent_of(place)].deadline) {
      rise(place, last);
    } else {
      sink(place, last);
    }
  }

 private:
  struct Timer {
    Nanoseconds deadline;  // of the operation, whose memory may be cold
    Operation* operation;
  };
  static constexpr std::size_t kChildren = 4;

  static std::size_t parent_of(std::size_t place) noexcept { return (place - 1) / kChildren; }

  void put(std::size_t place, Timer timer) noexcept {
    heap_[place] = timer;
    timer.operation->extras()->heap_place = place;
  }

  // Puts `timer` at `place`, which is free, or above.
  void rise(std::size_t place, Timer timer) noexcept {
    while (place != 0 && timer.deadline < heap_[parent_of(place)].deadline) {
      put(place, heap_[parent_of(place)]);
      place = parent_of(place);
    }
    put(place, timer);
  }

  // Puts `timer` at `place`, which is free, or below.
  void sink(std::size_t place, Timer timer) noexcept {
    for (;;) {
      const std::size_t begin = kChildren * place + 1;
      const std::size_t end = std::min(begin + kChildren, heap_.size());
      if (begin >= end) break;
      std::size_t least = begin;
      for (std::size_t child = begin + 1; child < end; ++child) {
        if (heap_[child].deadline < heap_[least].deadline) least = child;
      }
      if (timer.deadline <= heap_[least].deadline) break;
      put(place, heap_[least]);
      place = least;
    }
    put(place, timer);
  }

  std::vector<Timer> heap_;  // does not shrink
};

}  // namespace weft::io::detail
