// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/io/reactor.hpp"

#include "io/hub.hpp"

namespace weft::io {

namespace detail {

Hub& hub_of(Reactor& reactor) noexcept { return *reactor.hub_; }

}  // namespace detail

Reactor::Reactor(io_uring& ring) : hub_(new detail::Hub, [](detail::Hub* hub) { delete hub; }) {
  hub_->adopt(ring);
}

Reactor::~Reactor() = default;

void Reactor::submit() noexcept {
  hub_->turn();
  hub_->submit();
}

bool Reactor::dispatch(const io_uring_cqe& cqe) noexcept { return hub_->dispatch(cqe); }

bool Reactor::idle() const noexcept { return hub_->idle(); }

}  // namespace weft::io
