// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <weft/detail/config.hpp>

namespace weft {

/// How many threads of this process can run at the same time: the CPUs in the
/// calling thread's affinity mask, or the CPU quota of its cgroups (v1 and v2,
/// every level, rounded up) if that is less. At least 1.
WEFT_API int available_parallelism();

namespace detail {

/// The CPUs in the calling thread's affinity mask, ascending; never empty.
WEFT_API std::vector<int> allowed_cpus();

/// The tightest CPU quota of the cgroups that this process is in, in whole
/// CPUs rounded up; 0 if there is none. `root` is put before every absolute
/// path that is read, so that tests can lay out a /proc and /sys of their own.
WEFT_API int cgroup_cpu_limit(const std::string& root = "");

}  // namespace detail
}  // namespace weft
