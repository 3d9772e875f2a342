// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Who uses a registered set, and which rings have it. `docs/design/io.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"

namespace weft::io::detail {

using weft::detail::acq_rel;
using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::relaxed;

/// Two counts. Uses: with the last one what the set holds can go, and the rings are told. References, which
/// are the uses, as one, and the rings that have it: with the last one the set can go. Owns the registrations,
/// each of one ring's hub or of nobody.
template <class Registration>
class Roster {
 public:
  Roster() noexcept = default;
  Roster(const Roster&) = delete;
  Roster& operator=(const Roster&) = delete;
  ~Roster() {
    Registration* one = registrations_.load(relaxed);  // relaxed: nobody else is left
    while (one != nullptr) {
      Registration* const next = one->next_made;
      delete one;
      one = next;
    }
  }

  // ---- any thread, with a use

  void use() noexcept { uses_.fetch_add(1, relaxed); }  // relaxed: who calls has one
  /// \return true: that was the last one. The caller tells all and leaves.
  /// Acq_rel: who is last sees all that the others did.
  bool end_use() noexcept { return uses_.fetch_sub(1, acq_rel) == 1; }

  /// One that is the hub's from now on. \param make makes one \return nullptr: it could not
  template <class Hub, class Make>
  Registration* enrol(Hub& hub, Make make) noexcept {
    Registration* one = registrations_.load(acquire);  // pairs with the push below
    while (one != nullptr && !one->adopt(hub)) one = one->next_made;
    if (one == nullptr) {
      one = make();
      if (one == nullptr) return nullptr;
      Registration* head = registrations_.load(relaxed);  // relaxed: a guess for the exchange
      do {
        one->next_made = head;
        // Release: publishes it.
      } while (!registrations_.compare_exchange_weak(head, one, weft::detail::release, relaxed));
    }
    references_.fetch_add(1, relaxed);  // relaxed: the caller's use keeps the others
    one->wire.connect(hub);
    return one;
  }

  // ---- after the last use

  /// No use is left, so nobody enrols any more.
  void tell_all() noexcept {
    Registration* one = registrations_.load(relaxed);  // relaxed: who enrolled had a use, see end_use()
    for (; one != nullptr; one = one->next_made) one->set_is_unused();
  }

  // ---- whoever told all, or the hub of one that was given up

  /// \return true: nobody is left
  bool leave() noexcept { return references_.fetch_sub(1, acq_rel) == 1; }  // acq_rel: as in end_use()

 private:
  Atomic<std::uint32_t> uses_{1};
  Atomic<std::uint32_t> references_{1};
  Atomic<Registration*> registrations_{nullptr};  // only grows
};

}  // namespace weft::io::detail
