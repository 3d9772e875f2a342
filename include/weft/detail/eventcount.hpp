// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Where idle workers sleep. States, transitions and the proof that no wake-up is lost:
/// `docs/design/eventcount.md`.

#include <climits>
#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/futex.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail {

/// A worker's thread that sleeps on its own parker, in its I/O driver or not: a certain thread.
struct ListedSleeper {
  Plain<Parker*> thread = nullptr;
  Plain<ListedSleeper*> next = nullptr;
  Atomic<bool> asleep{false};
};

/// Counts the workers that look for work and those that sleep, and wakes the latter one by one.
///
/// A worker out of work: `begin_search()`, looks around, and at last
///
///     round = prepare_sleep();     // announced: from here on a producer will see us
///     heavy_fence();               // pairs with the producer's light fence
///     if (work is visible anywhere) cancel_sleep();  else  sleep(round);
///
/// after which it searches again. Having found work it calls `end_search()`. A producer makes its
/// work visible, passes a light fence, and calls `notify_one()` if `should_notify()`.
///
/// Only one worker is woken at a time: while someone searches, no other is woken, since whoever
/// ends the last search looks once more and wakes the next. (The idea is Go's "spinning Ms" and
/// rayon's jobs event counter.) Sleeping itself is a semaphore: a notifier turns one sleeper into
/// one signal, so the counts are exact: at most 32,767 threads, and a count never overflows.
///
/// One more sleeper is special: the outside thread that works while it waits sleeps on its own
/// parker, because the end of its task must wake it too. It is a bit beside the counts.
///
/// Threads that use I/O sleep on their own parkers too, since completions and messages for their
/// driver must wake them. They have a count and a list of their own: `docs/design/io-parking.md`.
class alignas(kCacheLine) EventCount {
 public:
  /// `full_fences`: producers cannot do with a light fence, so somebody_idle() is always true.
  explicit EventCount(bool full_fences = false) {
    state_.store(full_fences ? kFullFences : 0, relaxed);
    signals_.store(0, relaxed);
  }

  static constexpr std::uint32_t kMaxThreads = 32'767;

  /// True if somebody searches or sleeps. The producer's fast path: one load and nothing else.
  bool somebody_idle() const noexcept {
    return state_.load(relaxed) != 0;  // relaxed: as in should_notify()
  }

  /// True if somebody sleeps and nobody searches.
  bool should_notify() const noexcept {
    // Relaxed: ordered after the caller's publication by its light fence.
    const std::uint64_t state = state_.load(relaxed);
    return searchers(state) == 0 && sleepers(state) != 0;
  }

  enum class Woke { kNobody, kSleeper, kCaller };

  /// Wakes one sleeper, who then counts as searching, unless somebody searches already.
  /// \return kCaller: the caller of this function has to unpark the outside thread.
  Woke notify_one() noexcept {
    // Seq_cst: not only a guess, for it may end the matter. Stands after the seq_cst push of a
    // task from outside, and pairs with prepare_sleep and the look at that queue after it.
    std::uint64_t state = state_.load(seq_cst);
    std::uint64_t one = 0;
    do {
      if (sleepers(state) == 0 || searchers(state) != 0) return Woke::kNobody;
      one = threads(state) != 0 ? kOneSleeper : listed(state) > 0 ? kOneListed : kCallerSleeps;
      // Acq_rel: in the one total order of this word's changes, so that the producer's work
      // happens before the search that this wake-up starts.
    } while (!state_.compare_exchange_weak(state, state - one + kOneSearcher, acq_rel, relaxed));
    if (one == kCallerSleeps) return Woke::kCaller;
    if (one == kOneListed) return wake_listed();
    signals_.fetch_add(1, release);  // pairs with the acquire of the sleeper that takes it
    futex_wake(signals_, 1);
    return Woke::kSleeper;
  }

  /// Wakes every thread that sleeps or is about to, each to look at its own affairs: shutdown.
  /// A signal could be taken by another thread than the one that is meant, a round cannot.
  void wake_all() noexcept {
    signals_.fetch_add(kOneRound, acq_rel);  // pairs with the acquire in prepare_sleep and sleep
    futex_wake(signals_, INT_MAX);
    // Seq_cst: whoever lists itself later looks at what we announce after that, and sees it.
    for (ListedSleeper* s = list_.load(seq_cst); s != nullptr; s = s->next) unpark(*s);
  }

  /// Acq_rel, here and below: changes of the one word are totally ordered and each sees what the
  /// earlier ones published.
  void begin_search() noexcept { state_.fetch_add(kOneSearcher, acq_rel); }

  /// \return true if this was the last searcher and somebody sleeps: the caller then has to look
  /// for more work and, if there is some, call `notify_one()`.
  bool end_search() noexcept {
    // Seq_cst: stands before the look that follows; pairs with the push of a task from outside and
    // the load in notify_one after it, which must not see this searcher any more if we miss the task.
    const std::uint64_t before = state_.fetch_sub(kOneSearcher, seq_cst);
    return searchers(before) == 1 && sleepers(before) != 0;
  }

  /// From searching to sleeping. Seq_cst, here and for the caller: see notify_one.
  /// \return what to give to sleep()
  std::uint32_t prepare_sleep() noexcept {
    state_.fetch_add(kOneSleeper - kOneSearcher, seq_cst);
    // Acquire: if we see a round, we see why it was called; if not, sleep() will notice it.
    return signals_.load(acquire) / kOneRound;
  }

  /// From sleeping back to searching, without having slept.
  void cancel_sleep() noexcept {
    std::uint64_t state = state_.load(relaxed);  // relaxed: only a guess for the exchange below
    while (threads(state) != 0) {
      if (state_.compare_exchange_weak(state, state - kOneSleeper + kOneSearcher, acq_rel,
                                       relaxed)) {
        return;
      }
    }
    // Every sleeper, and so we too, was turned into a signal already: one of them is ours.
    take_signal();
  }

  /// Sleeps until notified, or until a round that began after prepare_sleep; the caller then
  /// counts as searching.
  void sleep(std::uint32_t round) noexcept {
    for (;;) {
      // Acquire: pairs with wake_all, and with notify_one where we take its signal.
      std::uint32_t signals = signals_.load(acquire);
      while (signals % kOneRound != 0) {
        if (signals_.compare_exchange_weak(signals, signals - 1, acquire, acquire)) return;
      }
      if (signals / kOneRound != round) return cancel_sleep();
      futex_wait(signals_, signals);
    }
  }

  /// The outside thread, from searching to sleeping on its parker.
  void prepare_caller_sleep() noexcept { state_.fetch_add(kCallerSleeps - kOneSearcher, seq_cst); }

  /// The outside thread, back to searching, unless a notifier has moved it there already.
  void end_caller_sleep() noexcept {
    std::uint64_t state = state_.load(relaxed);  // relaxed: only a guess for the exchange below
    while ((state & kCallerSleeps) != 0 &&
           !state_.compare_exchange_weak(state, state - kCallerSleeps + kOneSearcher, acq_rel,
                                         relaxed)) {
    }
  }

  /// Once per thread, before its first listed sleep; it stays listed as long as this lives.
  void list(ListedSleeper& me) noexcept {
    ListedSleeper* head = list_.load(relaxed);  // relaxed: a guess for the exchange
    do {
      me.next = head;
    } while (!list_.compare_exchange_weak(head, &me, seq_cst, relaxed));  // see wake_all
  }

  /// From searching to sleeping on the thread's own parker. To be followed by a heavy fence and a
  /// look for work, as prepare_sleep.
  void begin_listed_sleep(ListedSleeper& me) noexcept {
    me.asleep.store(true, relaxed);  // relaxed: published by the count
    state_.fetch_add(kOneListed - kOneSearcher, seq_cst);  // as prepare_sleep
  }

  /// Back to searching, unless a notifier has moved it there already.
  void end_listed_sleep(ListedSleeper& me) noexcept {
    // The count before the flag: a notifier that finds no flag starts again, and must not do so for
    // as long as we take for our next step. Acq_rel: as in begin_search.
    state_.fetch_add(kOneSearcher - kOneListed, acq_rel);
    // Acquire: pairs with wake_listed, whose caller's work we are to find. It has moved us already:
    // what we counted is taken back. Acq_rel: we go on as the searcher that it counted.
    if (!me.asleep.exchange(false, acquire)) state_.fetch_add(kOneListed - kOneSearcher, acq_rel);
  }

  std::uint64_t num_sleepers() const noexcept { return sleepers(state_.load(relaxed)); }
  std::uint32_t num_searchers() const noexcept { return searchers(state_.load(relaxed)); }

 private:
  static constexpr std::uint64_t kOneListed = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kOneSleeper = 1u << 16;
  static constexpr std::uint64_t kOneSearcher = 1;

  static constexpr std::uint64_t kFullFences = 1u << 15;
  static constexpr std::uint64_t kCallerSleeps = 1u << 31;
  static constexpr std::uint32_t kOneRound = 1u << 16;

  /// Zero if nobody sleeps: the threads on the semaphore and the caller's bit, or listed threads.
  static constexpr std::uint64_t sleepers(std::uint64_t state) noexcept {
    return listed(state) > 0 ? state >> 16 : (state >> 16) & 0xFFFF;
  }
  /// Below zero for a moment if some woke by themselves while notifiers were about to wake them.
  static constexpr std::int32_t listed(std::uint64_t state) noexcept {
    return static_cast<std::int32_t>(state >> 32);
  }
  static constexpr std::uint32_t threads(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state & ~kCallerSleeps) >> 16;
  }
  static constexpr std::uint32_t searchers(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state & (kFullFences - 1));
  }

  // One was taken from the count of listed sleepers: wakes any of them. Always: sleepers with
  // `asleep` >= the count + notifiers in here. So whoever finds none was overtaken by a sleeper that
  // woke by itself and has counted that, and nobody waits here for another thread's next step.
  WEFT_COLD Woke wake_listed() noexcept {
    for (ListedSleeper* s = list_.load(acquire); s != nullptr; s = s->next) {  // pairs with list()
      // Relaxed first: no exchange on what others use. Release: pairs with end_listed_sleep.
      if (s->asleep.load(relaxed) && s->asleep.exchange(false, acq_rel)) {
        unpark(*s);
        return Woke::kSleeper;
      }
    }
    // They woke by themselves meanwhile, or fell asleep behind us: as if we had not begun.
    state_.fetch_add(kOneListed - kOneSearcher, seq_cst);
    return notify_one();
  }

  static void unpark(ListedSleeper& sleeper) noexcept {
    Parker* const thread = sleeper.thread;
    thread->unpark();
  }

  // A notifier has promised us a signal: it comes with its next step.
  void take_signal() noexcept {
    for (;;) {
      std::uint32_t signals = signals_.load(relaxed);  // relaxed: a guess for the exchange
      while (signals % kOneRound != 0) {
        // Acquire: pairs with the notifier's release, so that we see its work.
        if (signals_.compare_exchange_weak(signals, signals - 1, acquire, relaxed)) return;
      }
      futex_wait(signals_, signals);
    }
  }

  // Listed sleepers << 32, caller's bit (31), other sleeping threads << 16, the bit of full fences,
  // searchers.
  Atomic<std::uint64_t> state_;
  Atomic<std::uint32_t> signals_;  // rounds << 16, signals not yet taken; the futex word
  Atomic<ListedSleeper*> list_{nullptr};  // only grows
};

}  // namespace weft::detail
