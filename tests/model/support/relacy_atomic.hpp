// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What `weft/detail/atomic.hpp` and `futex.hpp` stand for under the Relacy race detector: the
/// shipping headers, compiled with WEFT_MODEL, run on these. See `docs/design/models.md`.

// All of the standard library that models use comes first: relacy.hpp redefines `new`, `free`,
// `assert`, pthread's names and those of the memory orders as macros, most of which we take back.
#include <atomic>
#include <chrono>
#include <climits>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <source_location>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include <relacy/relacy.hpp>

#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

namespace weft::detail {

inline constexpr rl::memory_order relaxed = rl::mo_relaxed;
inline constexpr rl::memory_order acquire = rl::mo_acquire;
inline constexpr rl::memory_order release = rl::mo_release;
inline constexpr rl::memory_order acq_rel = rl::mo_acq_rel;
inline constexpr rl::memory_order seq_cst = rl::mo_seq_cst;

/// A source position for Relacy's history. As a default argument it is that of the caller.
struct Where : rl::debug_info {
  Where(std::source_location at = std::source_location::current()) noexcept
      : rl::debug_info(at.function_name(), at.file_name(), at.line()) {}
};

/// std::atomic's face, as much as weft uses of it, on Relacy's atomic.
template <class T>
class Atomic {
 public:
  constexpr Atomic() = default;
  constexpr Atomic(T value) : atomic_(value) {}

  T load(rl::memory_order order, Where where = {}) const { return atomic_.load(order, where); }
  void store(T value, rl::memory_order order, Where where = {}) {
    atomic_.store(value, order, where);
  }
  T exchange(T value, rl::memory_order order, Where where = {}) {
    return atomic_(where).exchange(value, order);
  }
  T fetch_add(T value, rl::memory_order order, Where where = {}) {
    return atomic_(where).fetch_add(value, order);
  }
  T fetch_sub(T value, rl::memory_order order, Where where = {}) {
    return atomic_(where).fetch_sub(value, order);
  }
  T fetch_or(T value, rl::memory_order order, Where where = {}) {
    return atomic_(where).fetch_or(value, order);
  }
  bool compare_exchange_strong(T& expected, T desired, rl::memory_order success,
                               rl::memory_order failure, Where where = {}) {
    return atomic_(where).compare_exchange_strong(expected, desired, success, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, rl::memory_order success,
                             rl::memory_order failure, Where where = {}) {
    return atomic_(where).compare_exchange_weak(expected, desired, success, failure);
  }

 private:
  friend void futex_wait(Atomic<std::uint32_t>&, std::uint32_t, Where);

  rl::atomic<T> atomic_;
};

/// The kernel's side of the futexes. It knows words by their addresses only, so a wake-up may come when
/// the word is gone.
class Futexes {
 public:
  static constexpr rl::thread_id_t kMostThreads = 8;
  using Sleepers = rl::waitset<kMostThreads>;

  static Sleepers& on(const void* word) {
    Queue* unused = nullptr;
    for (Queue& queue : queues_) {
      if (!queue.sleepers) {
        unused = &queue;
      } else if (queue.word == word) {
        return queue.sleepers;
      }
    }
    unused->word = word;  // there are as many as threads
    return unused->sleepers;
  }

 private:
  struct Queue {
    const void* word;
    Sleepers sleepers;
  };
  static inline Queue queues_[kMostThreads];
};

/// Plain data: Relacy reports two accesses that are not ordered, one of them a write.
template <class T>
class Plain {
 public:
  Plain() = default;
  Plain(T value) : var_(value) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  T get(Where where = {}) const { return var_(where).load(); }
  void set(T value, Where where = {}) { var_(where).store(value); }
  // No room for a default argument here: these two show up in histories by their own line.
  operator T() const { return get(); }
  Plain& operator=(T value) {
    set(value);
    return *this;
  }

 private:
  rl::var<T> var_;
};

/// FUTEX_WAIT. The kernel compares and queues under one lock, and so compares with the newest
/// value: one step here. It does not synchronise: a model that needed that would be wrong.
inline void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected, Where where = {}) {
  rl::context& context = rl::ctx();
  context.sched();
  if (word.atomic_.debug_value() != expected) return;
  Futexes::on(&word).park_current(context, false, true /* spurious wake-ups */, false, where);
}

/// FUTEX_WAKE.
inline void futex_wake(Atomic<std::uint32_t>& word, int count, Where where = {}) {
  rl::context& context = rl::ctx();
  context.sched();
  Futexes::Sleepers& sleepers = Futexes::on(&word);
  while (count-- > 0 && sleepers.unpark_one(context, where)) {
  }
}

/// The eventfds of a model: it sets as many as it has threads that sleep in a driver.
inline Atomic<std::uint32_t>* model_events[4] = {};

/// write(2) to an eventfd. It orders nothing.
inline void event_signal(int event, Where where = {}) {
  model_events[event]->fetch_add(1, relaxed, where);
  futex_wake(*model_events[event], 1, where);
}

/// Sleeps in a driver: until the event is signalled, or something else has ended, which may be at
/// any time. \return signals taken
inline std::uint32_t driver_wait(int event, Where where = {}) {
  futex_wait(*model_events[event], 0, where);
  return model_events[event]->exchange(0, relaxed, where);
}

/// The next of the model's eventfds, with a signal in it.
inline int model_events_open = 0;
inline int open_event(Where where = {}) {
  const int event = model_events_open++;
  model_events[event]->fetch_add(1, relaxed, where);
  return event;
}
inline void close_event(int) { --model_events_open; }

/// read(2) from an eventfd that does not block.
inline void drain_event(int event, Where where = {}) {
  model_events[event]->exchange(0, relaxed, where);
}

/// poll(2) of an eventfd.
inline void wait_event(int event, Where where = {}) {
  futex_wait(*model_events[event], 0, where);
}

/// An asymmetric pair as P1202 has it. A light fence and a heavy one are ordered, in whichever
/// order they come: what is sequenced before the first is visible after the second. Two light ones
/// are not, and a light one that meets no heavy one orders nothing. So a light fence leaves a
/// picture of what its thread has seen, which only heavy fences look at, and looks at what those
/// have left.
///
/// That is less than membarrier(2) does, which stops each thread wherever it is, and just what is
/// left of that when the compiler may move everything but across a light fence.
class AsymmetricFences {
 public:
  static inline bool none = false;  ///< as if there were no fences at all

  static void light() {
    if (none) return;
    rl::context& context = rl::ctx();
    context.sched();
    rl::timestamp_t* const seen = context.threadx_->acq_rel_order_;
    for (rl::thread_id_t i = 0; i < context.get_thread_count(); ++i) {
      if (seen[i] < heavy_[i]) seen[i] = heavy_[i];
      if (light_[i] < seen[i]) light_[i] = seen[i];
    }
  }
  static void heavy(Where where) {
    if (none) return;
    rl::atomic_thread_fence(seq_cst, where);  // heavy ones are ordered among each other, too
    rl::context& context = rl::ctx();
    rl::timestamp_t* const seen = context.threadx_->acq_rel_order_;
    for (rl::thread_id_t i = 0; i < context.get_thread_count(); ++i) {
      if (seen[i] < light_[i]) seen[i] = light_[i];
      if (heavy_[i] < seen[i]) heavy_[i] = seen[i];
    }
  }
  /// Before each schedule: time starts anew.
  static void reset() {
    for (auto& time : light_) time = 0;
    for (auto& time : heavy_) time = 0;
  }

 private:
  static constexpr rl::thread_id_t kMostThreads = 8;
  static inline rl::timestamp_t light_[kMostThreads] = {};
  static inline rl::timestamp_t heavy_[kMostThreads] = {};
};
inline void light_fence() { AsymmetricFences::light(); }
inline void heavy_fence(Where where = {}) { AsymmetricFences::heavy(where); }

/// The pair for want of membarrier(2): a read-modify-write of one word for all, on both sides.
inline void full_fence(Where where = {}) { rl::atomic_thread_fence(seq_cst, where); }
inline bool asymmetric_fences() { return true; }

inline void spin_pause() {}
inline void yield_cpu() {}

}  // namespace weft::detail
