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
/// Or too early, which the hub's thread will see once it has connected.
///
/// `Hub` is a template parameter for the sake of the model only.
template <class Hub>
class Wire {
 public:
  /// Precondition: cut, as it is at first.
  void connect(Hub& hub) noexcept {
    const bool before = hub_ != nullptr;
    hub_ = &hub;
    // Release: pairs with reach(), for the pointer. Acquire: what whoever came too early has written
    // before is seen from here on.
    word_.fetch_sub(before ? kCut : kCut - kConnectedOnce, acq_rel);
  }

  enum class Reached { kHub, kTooEarly, kTooLate };

  /// Any thread. Calls `post` with the hub, if there is one; if not, nothing has happened.
  template <class Post>
  Reached reach(Post post) noexcept {
    // Acquire: pairs with connect, and with cut: what the hub's thread wrote before is ours. Release:
    // pairs with a connect that comes later.
    const std::uint32_t word = word_.fetch_add(1, acq_rel);
    if (word < kCut) {
      Hub* const hub = hub_;
      post(*hub);
    }
    // Release: pairs with cut. The wake-up needs the word's address only.
    if ((word_.fetch_sub(1, release) & ~kConnectedOnce) == kCut + 1) {
      weft::detail::futex_wake(word_, 1);
    }
    return word < kCut                     ? Reached::kHub
           : (word & kConnectedOnce) != 0 ? Reached::kTooLate
                                          : Reached::kTooEarly;
  }

  template <class Node>
  Reached post(Node& node, std::uint32_t bits) noexcept {
    return reach([&](Hub& hub) noexcept { hub.post(node, bits); });
  }

  void cut() noexcept {
    // Release: hands over to who posts too late. Acquire, both: pairs with reach(), whose node is in
    // the inbox.
    std::uint32_t word = word_.fetch_add(kCut, acq_rel) + kCut;
    while ((word & ~kConnectedOnce) != kCut) {
      weft::detail::futex_wait(word_, word);
      word = word_.load(acquire);
    }
  }

 private:
  static constexpr std::uint32_t kCut = 1u << 31;
  static constexpr std::uint32_t kConnectedOnce = 1u << 30;

  Plain<Hub*> hub_ = nullptr;
  Atomic<std::uint32_t> word_{kCut};  // how many are posting, and the two bits
};

}  // namespace weft::io::detail
