// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// How something that may outlive a hub's thread reaches that hub. `docs/design/wire.md`.

#include <cstdint>

#include "weft/detail/atomic.hpp"
#include "weft/detail/futex.hpp"

namespace weft::io::detail {

using weft::detail::acq_rel;
using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::Plain;
using weft::detail::release;

/// Connected by the hub's thread, and cut by it once the hub is about to go or nobody is to post any
/// more. Who posts is counted while at it, and `cut` waits for those few steps. So a post either
/// comes before the cut, and the hub finds it in its inbox after that, or is told that it is too late.
///
/// `Hub` is a template parameter for the sake of the model only.
template <class Hub>
class Wire {
 public:
  /// Precondition: cut, as it is at first.
  void connect(Hub& hub) noexcept {
    hub_ = &hub;
    // Release: pairs with post(), for the pointer. Acquire: what whoever posted too early has written
    // before is seen from here on.
    word_.fetch_sub(kCut, acq_rel);
  }

  /// Any thread. \return false: the hub is gone, and nothing has happened
  template <class Node>
  bool post(Node& node, std::uint32_t bits) noexcept {
    // Acquire: pairs with connect, and with cut: what the hub's thread wrote before is ours. Release:
    // pairs with a connect that comes later.
    const bool connected = word_.fetch_add(1, acq_rel) < kCut;
    if (connected) {
      Hub* const hub = hub_;
      hub->post(node, bits);
    }
    // Release: pairs with cut. The wake-up needs the word's address only.
    if (word_.fetch_sub(1, release) == kCut + 1) weft::detail::futex_wake(word_, 1);
    return connected;
  }

  /// After a post that came too late: was there ever a hub?
  bool was_connected() const noexcept { return hub_ != nullptr; }

  void cut() noexcept {
    // Release: hands over to who posts too late. Acquire, both: pairs with post(), whose node is in
    // the inbox.
    std::uint32_t word = word_.fetch_add(kCut, acq_rel) + kCut;
    while (word != kCut) {
      weft::detail::futex_wait(word_, word);
      word = word_.load(acquire);
    }
  }

 private:
  static constexpr std::uint32_t kCut = 1u << 31;

  Plain<Hub*> hub_ = nullptr;
  Atomic<std::uint32_t> word_{kCut};  // who is posting, and whether it is cut
};

}  // namespace weft::io::detail
