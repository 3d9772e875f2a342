// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Everything.

#include "weft/flowvar.hpp"     // IWYU pragma: export
#include "weft/io.hpp"          // IWYU pragma: export
#include "weft/metrics.hpp"     // IWYU pragma: export
#include "weft/spawn.hpp"       // IWYU pragma: export
#include "weft/sync_scope.hpp"  // IWYU pragma: export
#include "weft/task.hpp"        // IWYU pragma: export
#include "weft/threadpool.hpp"  // IWYU pragma: export
