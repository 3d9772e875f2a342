// SPDX-License-Identifier: MIT OR Apache-2.0

#pragma once

#include <cstdint>

namespace weft::test {

/// Calls of malloc and its kin so far, by any thread (operator new ends there as well).
std::int64_t allocator_calls() noexcept;

}  // namespace weft::test
