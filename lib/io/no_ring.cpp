// SPDX-License-Identifier: MIT OR Apache-2.0
//
// In place of ring.cpp, without liburing.
#include "io/driver.hpp"

namespace weft::io::detail {

bool ring_usable() noexcept { return false; }

std::unique_ptr<Driver> make_ring(Hub&, int) { return nullptr; }

}  // namespace weft::io::detail
