// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A container is given CPUs in two ways: by affinity (cpuset), which the
// kernel's scheduling mask shows, and by a bandwidth quota of its cgroup, which
// only files show. A pool larger than the quota is throttled for the rest of
// each period with tasks half done, so both count.
#include <weft/detail/topology.hpp>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

namespace weft {
namespace detail {
namespace {

struct CpuSetDeleter {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};

/// The hierarchies that can carry a CPU quota. Both can be mounted at once
/// ("hybrid"), with the cpu controller in either.
enum class Hierarchy { kV1, kV2 };

struct Mount {
  Hierarchy hierarchy;
  std::string root;   // the cgroup that is visible at `point`
  std::string point;  // where it is mounted
};

/// True if `list`, separated by commas, holds `word`.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                  (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// One line: id parent major:minor root point options [tag...] - type source super
std::optional<Mount> parse_mount(const std::string& line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string::npos) return std::nullopt;
  std::istringstream left(line.substr(0, dash));
  std::istringstream right(line.substr(dash + 3));
  std::string skip, root, point, type, source, super;
  if (!(left >> skip >> skip >> skip >> root >> point) || !(right >> type >> source >> super)) {
    return std::nullopt;
  }
  if (type == "cgroup2") return Mount{Hierarchy::kV2, unescape(root), unescape(point)};
  if (type == "cgroup" && has_word(super, "cpu")) {
    return Mount{Hierarchy::kV1, unescape(root), unescape(point)};
  }
  return std::nullopt;
}

/// The process's cgroup in a hierarchy, from lines "id:controllers:path".
std::optional<std::string> own_cgroup(const std::string& root, Hierarchy hierarchy) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    if (first == std::string::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view id = std::string_view(line).substr(0, first);
    const std::string_view controllers =
        std::string_view(line).substr(first + 1, second - first - 1);
    const bool wanted = hierarchy == Hierarchy::kV2 ? id == "0" && controllers.empty()
                                                    : has_word(controllers, "cpu");
    if (wanted) return line.substr(second + 1);
  }
  return std::nullopt;
}

/// Where `cgroup` lies below a mount whose top is `top`: "" for the top itself,
/// else "/a/b"; nothing if it is elsewhere.
std::optional<std::string> below(std::string top, const std::string& cgroup) {
  if (top == "/") top.clear();
  if (cgroup.compare(0, top.size(), top) != 0) return std::nullopt;
  std::string rest = cgroup.substr(top.size());
  while (!rest.empty() && rest.back() == '/') rest.pop_back();
  if (!rest.empty() && rest.front() != '/') return std::nullopt;  // /ab is not below /a
  // A cgroup outside our cgroup namespace is shown as /..; it is not below.
  if ((rest + "/").find("/../") != std::string::npos) return std::nullopt;
  return rest;
}

std::optional<std::int64_t> parse_number(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

/// The quota in one cgroup directory; INT_MAX if it has none or makes no sense.
int limit_at(Hierarchy hierarchy, const std::string& directory) {
  std::string quota_text, period_text = "100000";  // the kernel's default period
  if (hierarchy == Hierarchy::kV2) {
    std::ifstream(directory + "/cpu.max") >> quota_text >> period_text;
  } else {
    std::ifstream(directory + "/cpu.cfs_quota_us") >> quota_text;
    std::ifstream(directory + "/cpu.cfs_period_us") >> period_text;
  }
  // "max" (v2) is no number and -1 (v1) is not positive: no limit, either way.
  const auto quota = parse_number(quota_text);
  const auto period = parse_number(period_text);
  if (!quota || !period || *quota <= 0 || *period <= 0) return INT_MAX;
  const std::int64_t cpus = *quota / *period + (*quota % *period != 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(cpus, INT_MAX));
}

/// The tightest limit from `relative` up to the mount's top: a child's quota may
/// exceed its parent's, which then rules.
int limit_along(const Mount& mount, const std::string& root, std::string relative) {
  int limit = INT_MAX;
  for (;;) {
    limit = std::min(limit, limit_at(mount.hierarchy, root + mount.point + relative));
    if (relative.empty()) return limit;
    relative.erase(relative.rfind('/'));
  }
}

}  // namespace

int cgroup_cpu_limit(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  }

  int limit = INT_MAX;
  for (const Hierarchy hierarchy : {Hierarchy::kV1, Hierarchy::kV2}) {
    const auto cgroup = own_cgroup(root, hierarchy);
    if (!cgroup) continue;
    const Mount* elsewhere = nullptr;
    bool found = false;
    for (const Mount& mount : mounts) {
      if (mount.hierarchy != hierarchy) continue;
      if (const auto relative = below(mount.root, *cgroup)) {
        limit = std::min(limit, limit_along(mount, root, *relative));
        found = true;
      } else if (elsewhere == nullptr) {
        elsewhere = &mount;
      }
    }
    // In a container whose cgroup path is told in the host's terms, what is
    // mounted is the container's own cgroup.
    if (!found && elsewhere != nullptr) limit = std::min(limit, limit_along(*elsewhere, root, ""));
  }
  return limit == INT_MAX ? 0 : limit;
}

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  // The kernel refuses a mask smaller than its own, which can pass 1,024 CPUs.
  for (std::size_t count = 1024; count <= (std::size_t{1} << 20); count *= 2) {
    const std::unique_ptr<cpu_set_t, CpuSetDeleter> set(CPU_ALLOC(count));
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    if (!set) break;
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      for (std::size_t cpu = 0; cpu < count; ++cpu) {
        if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(static_cast<int>(cpu));
      }
      break;
    }
    if (errno != EINVAL) break;
  }
  if (cpus.empty()) {  // a seccomp filter may forbid the call
    const long online = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
    for (int cpu = 0; cpu < online; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace detail

int available_parallelism() {
  const int cpus = static_cast<int>(detail::allowed_cpus().size());
  const int quota = detail::cgroup_cpu_limit();
  return quota == 0 ? cpus : std::min(cpus, quota);
}

}  // namespace weft
