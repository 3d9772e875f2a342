// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// I/O: operations that tasks await. Each is a function that returns an awaitable of `Result`, takes
/// `.timeout(duration)` and `.stop_on(std::stop_token)`, and never throws by itself.

#include "weft/io/buffers.hpp"  // IWYU pragma: export
#include "weft/io/data.hpp"     // IWYU pragma: export
#include "weft/io/fd.hpp"       // IWYU pragma: export
#include "weft/io/files.hpp"    // IWYU pragma: export
#include "weft/io/fixed.hpp"    // IWYU pragma: export
#include "weft/io/link.hpp"     // IWYU pragma: export
#include "weft/io/raw.hpp"      // IWYU pragma: export
#include "weft/io/reactor.hpp"  // IWYU pragma: export
#include "weft/io/receive.hpp"  // IWYU pragma: export
#include "weft/io/result.hpp"   // IWYU pragma: export
#include "weft/io/sockets.hpp"  // IWYU pragma: export
#include "weft/io/streams.hpp"  // IWYU pragma: export
#include "weft/io/timers.hpp"   // IWYU pragma: export
