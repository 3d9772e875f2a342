// SPDX-License-Identifier: MIT OR Apache-2.0
// The I/O workloads for any runtime: each program gives it its way to do the I/O, and gets
// arguments, repeats, checks and the report.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "../support/harness.hpp"
#include "alarms.hpp"
#include "reads.hpp"
#include "talk.hpp"

namespace bench::io {

/// Each returns when all is done; what is thrown ends the program with a message and a failure.
struct Runtime {
  std::string name;
  /// One end of every connection. The two ends are called at the same time, on two threads.
  std::function<void(std::span<Speaker>, const Options&)> talk = {};
  /// All readers at the same time.
  std::function<void(std::span<Reader>, const Options&)> read = {};
  std::function<void(Alarms&, const Options&)> wait = {};
  bool single_threaded = false;  // per end: knows no --workers
};

/// \param workload io_socket_st, io_echo, io_busy, io_pipe, io_file, io_timers
int run(const Runtime& runtime, const std::string& workload, int argc, char** argv);
/// The first argument names the workload.
inline int run_named(const Runtime& runtime, int argc, char** argv) {
  const bool named = argc > 1;
  return run(runtime, named ? argv[1] : "none", argc - named, argv + named);
}

}  // namespace bench::io
