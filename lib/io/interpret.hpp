// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Does what an entry for io_uring says by plain system calls.

#include "weft/io/operation.hpp"

namespace weft::io::detail {

/// True if it may block on something that has no readiness, a file say: run_blocking is to be called,
/// on a thread that may wait.
bool blocks(const Operation& op) noexcept;

/// Tries it without waiting. \return as a completion has it; -EAGAIN: the operation is to be tried
/// again once `driver_fd` is ready for `driver_events`, unless the latter is zero
std::int32_t try_now(Operation& op) noexcept;

std::int32_t run_blocking(Operation& op) noexcept;

}  // namespace weft::io::detail
