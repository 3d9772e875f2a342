// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Which outside thread is the caller's worker. `docs/design/blocking.md`.

#include <new>

#include "weft/detail/atomic.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail {

/// A seat that one thread at a time holds, and the threads that sleep and would rather have it.
///
/// A thread that leaves wakes one candidate, who tries to take the seat; a candidate that goes away
/// without it wakes the next, since it may have been the one that was woken. So while the seat is
/// free, no candidate sleeps unless another one was woken.
class CallerSeat {
  // Of one candidate after the other; never taken out of the list, so there is no ABA. There are
  // no more of them than there were candidates at the same time.
  struct Entry {
    Atomic<Parker*> thread{nullptr};  ///< nullptr: free
    Plain<Entry*> next = nullptr;
  };

 public:
  CallerSeat() = default;
  ~CallerSeat() {
    Entry* entry = entries_.load(relaxed);  // relaxed: nobody else is left
    while (entry != nullptr) {
      Entry* const next = entry->next;
      delete entry;
      entry = next;
    }
  }
  CallerSeat(const CallerSeat&) = delete;
  CallerSeat& operator=(const CallerSeat&) = delete;

  /// \return true if the seat was free: it is the caller's now, with all that belongs to it.
  bool try_take() noexcept {
    // Acquires what leave() handed over. Seq_cst: a candidate lists itself and then tries, who
    // leaves frees the seat and then looks at the list; one of them sees the other (store buffering).
    return !taken_.exchange(true, seq_cst);
  }

  /// Leaves the seat free, and wakes a candidate.
  void leave() noexcept {
    taken_.store(false, seq_cst);  // see try_take
    call_next();
  }

  /// From its construction to its destruction the calling thread wants the seat: it tries for it
  /// whenever its parker wakes it. Without memory for that it does not get called.
  class Candidacy {
   public:
    Candidacy(CallerSeat& seat, Parker& thread) noexcept
        : seat_(seat), entry_(seat.list(thread)) {}
    ~Candidacy() {
      if (entry_ == nullptr) return;
      // Seq_cst, both: whoever called us had released the seat before it read this entry.
      entry_->thread.store(nullptr, seq_cst);
      if (!seat_.taken_.load(seq_cst)) seat_.call_next();
    }
    Candidacy(const Candidacy&) = delete;
    Candidacy& operator=(const Candidacy&) = delete;

   private:
    CallerSeat& seat_;
    Entry* const entry_;
  };

 private:
  void call_next() noexcept {
    for (Entry* e = entries_.load(seq_cst); e != nullptr; e = e->next) {  // seq_cst: see try_take
      if (Parker* const thread = e->thread.load(seq_cst)) return thread->unpark();
    }
  }

  Entry* list(Parker& thread) noexcept {
    for (Entry* e = entries_.load(acquire); e != nullptr; e = e->next) {  // pairs with the push below
      Parker* none = nullptr;
      // Seq_cst: see try_take. Relaxed on failure: another candidate's.
      if (e->thread.compare_exchange_strong(none, &thread, seq_cst, relaxed)) return e;
    }
    Entry* entry = nullptr;
    try {
      entry = new Entry;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    entry->thread.store(&thread, relaxed);  // relaxed: published by the push
    Entry* head = entries_.load(relaxed);   // relaxed: a guess for the exchange
    do {
      entry->next = head;
    } while (!entries_.compare_exchange_weak(head, entry, seq_cst, relaxed));  // see try_take
    return entry;
  }

  Atomic<bool> taken_{false};
  Atomic<Entry*> entries_{nullptr};
};

}  // namespace weft::detail
