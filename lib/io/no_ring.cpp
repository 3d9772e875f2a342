// SPDX-License-Identifier: MIT OR Apache-2.0
//
// In place of ring.cpp, without liburing.
#include <system_error>

#include "io/driver.hpp"

namespace weft::io::detail {

bool ring_usable() noexcept { return false; }

std::unique_ptr<Driver> make_ring(Hub&, int) { return nullptr; }

std::unique_ptr<Driver> adopt_ring(Hub&, int, io_uring&) {
  throw std::system_error(std::make_error_code(std::errc::function_not_supported),
                          "weft: built without liburing");
}

}  // namespace weft::io::detail
