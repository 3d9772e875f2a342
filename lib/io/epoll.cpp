// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/hub.hpp"
#include "weft/io/raw.hpp"
#include <system_error>
namespace weft::io {
namespace detail {
std::unique_ptr<Driver> make_epoll(Hub&, int) { throw std::system_error(std::make_error_code(std::errc::function_not_supported)); }
}
std::string_view backend() noexcept { return detail::ring_usable() ? "io_uring" : "epoll"; }
}
