// SPDX-License-Identifier: MIT OR Apache-2.0
//
// In place of the ring, without liburing.
#include <system_error>

#include "io/driver.hpp"
#include "io/fixed_set.hpp"

namespace weft::io::detail {

bool ring_usable() noexcept { return false; }

std::unique_ptr<Driver> make_ring(Hub&, int) { return nullptr; }

std::int32_t try_to_lock(void*, std::size_t) noexcept { return 0; }

std::unique_ptr<Driver> adopt_ring(Hub&, int, io_uring&) {
  throw std::system_error(std::make_error_code(std::errc::function_not_supported),
                          "weft: built without liburing");
}

}  // namespace weft::io::detail
