// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Operations one after the other, without the task in between.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/io/awaitable.hpp"
#include "weft/io/sockets.hpp"

namespace weft::io {

namespace detail {

/// What links have in common. The parts are not in the hub's list: only the chain is, and cancels them.
class Chain : public Operation {
 public:
  Chain() noexcept { kind = Kind::kChain; }

  /// From here on by the hub, on its thread.
  WEFT_API void begin() noexcept;
  WEFT_API void cancel_parts() noexcept;
  WEFT_API void part_ended(Operation& part) noexcept;

 protected:
  void set_parts(std::span<Operation* const> parts) noexcept { parts_ = parts; }
  /// Before a part's result is looked at: none began if the chain did not.
  void settle(Operation& part) const noexcept {
    if (!begun_) part.result = result < 0 ? result : -ECANCELED;
  }

 private:
  void begin_next() noexcept;
  void all_ended() noexcept;

  std::span<Operation* const> parts_;
  std::size_t at_ = 0;       // the first that has not ended
  std::size_t to_come_ = 0;  // completions, if all were submitted at once
  bool begun_ = false;
};

template <class Op>
concept Linkable = std::derived_from<Op, Awaitable<Op, typename Op::value_type>> &&
                   !std::same_as<Op, Listen>;  // which is done before it is awaited

template <class... Ops>
class [[nodiscard]] Link : public Awaitable<Link<Ops...>, void, Chain> {
 public:
  explicit Link(Ops&&... ops) noexcept : ops_(std::forward<Ops>(ops)...) {}

  void prepare() noexcept {
    std::apply(
        [this](auto&... ops) {
          (ops.prepare(), ...);
          parts_ = {&ops...};
        },
        ops_);
    this->set_parts(parts_);
  }

  auto await_resume() {
    return std::apply(
        [this](auto&... ops) {
          (this->settle(ops), ...);
          return std::tuple<decltype(ops.await_resume())...>{ops.await_resume()...};
        },
        ops_);
  }

 private:
  std::tuple<Ops...> ops_;
  std::array<Operation*, sizeof...(Ops)> parts_{};
};

}  // namespace detail

/// Runs operations one after the other; on io_uring with one submission, if none of them has a limit of
/// its own or takes several steps (`..._all`, `connect_tcp`). Once one fails, or moves fewer bytes
/// than it should (a read, a write, or with MSG_WAITALL), those after it are not done:
/// std::errc::operation_canceled. A `.timeout()` or `.stop_on()` of the link is for all of it.
/// \return a std::tuple of their results:
///
///     auto [written, synced] = co_await io::link(io::write(fd, bytes), io::fsync(fd));
template <class... Ops>
  requires(sizeof...(Ops) > 0 && (detail::Linkable<std::remove_cvref_t<Ops>> && ...))
auto link(Ops&&... ops) noexcept {
  return detail::Link<Ops...>(std::forward<Ops>(ops)...);
}

}  // namespace weft::io
