// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the kernel knows about this process: CPU time, context switches, resident memory. These are
// counts of what happened, not durations, so a verdict on them does not depend on a busy machine.

#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace weft::test {

/// User and system CPU time of all threads, in microseconds.
inline std::int64_t cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

/// How often threads other than the calling one gave up or lost the CPU, all together.
inline std::int64_t context_switches_of_others() {
  namespace fs = std::filesystem;
  std::int64_t sum = 0;
  const std::string self = std::to_string(::gettid());
  for (const fs::directory_entry& thread : fs::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == self) {
      continue;
    }
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.find("voluntary_ctxt_switches:") != std::string::npos) {  // also "nonvoluntary"
        sum += std::stoll(line.substr(line.find(':') + 1));
      }
    }
  }
  return sum;
}

/// Not those that are ending: one that was joined may be listed for a moment longer (proc(5), `flags`).
inline std::int64_t thread_count() {
  namespace fs = std::filesystem;
  constexpr std::uint64_t kExiting = 0x4;  // PF_EXITING
  std::int64_t count = 0;
  for (const fs::directory_entry& thread : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "stat");
    std::string name;
    std::getline(file, name, ')');
    char state = 0;
    std::int64_t parent = 0, group = 0, session = 0, terminal = 0, foreground = 0;
    std::uint64_t flags = 0;
    file >> state >> parent >> group >> session >> terminal >> foreground >> flags;
    if (file && (flags & kExiting) == 0) ++count;
  }
  return count;
}

/// Bytes of this process that are in memory now.
inline std::int64_t resident_bytes() {
  std::int64_t size = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace weft::test
