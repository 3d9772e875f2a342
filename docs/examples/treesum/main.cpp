// SPDX-License-Identifier: MIT OR Apache-2.0
//
// treesum DIR: the SHA-256 of every regular file under DIR, as
//   find DIR -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
// prints it, byte for byte, with all CPUs at work.
#include "report.hpp"
#include "sha256.hpp"
#include "walker.hpp"

#include <weft/weft.hpp>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include <getopt.h>

namespace treesum {
namespace {

constexpr int kSomeFailed = 1;
constexpr int kWrongUsage = 2;

/// How many files may be on their way between the walker and the output. This bounds the memory,
/// and says how far the other workers get while one is busy with a huge file.
constexpr std::size_t kWindow = 16 * 1024;

/// Hashes files in parallel, in a window that slides over the tree: results come out in the
/// walker's order, whatever order the workers finish them in.
weft::Task<> sum_tree(Walker& walker, Report& report, Activity& activity) {
  std::deque<weft::Flowvar<FileSum>> window;
  try {
    while (std::optional<std::string> path = co_await walker.next()) {
      window.push_back(weft::spawn(hash_file, std::move(*path), std::ref(activity)));
      // What is ready goes out at once; what is not is waited for only when the window is full.
      while (!window.empty() && (window.size() == kWindow || window.front().is_ready())) {
        report.add(co_await std::move(window.front()));
        window.pop_front();
      }
    }
    for (; !window.empty(); window.pop_front()) {
      report.add(co_await std::move(window.front()));
    }
  } catch (...) {
    // Leaving drops the Flowvars, and a dropped Flowvar waits for its task: make that short.
    activity.stop.store(true, std::memory_order_relaxed);
    throw;
  }
}

struct Options {
  int num_threads = 0;
  std::string root;
};

constexpr const char* kUsage =
    "Usage: treesum [--threads N] DIR\n"
    "Print the SHA-256 of every regular file under DIR, sorted by path, for sha256sum -c.\n"
    "\n"
    "  -t, --threads N  use N threads (default: as many as there are CPUs)\n"
    "  -h, --help       show this text\n"
    "\n"
    "Symbolic links below DIR are not followed. Exit status: 0 if every file was summed, 1 if\n"
    "something could not be read or written, 2 for wrong usage.\n";

/// Either the options, or nothing and the exit status.
std::optional<Options> parse(int argc, char** argv, int& status) {
  static constexpr option kLong[] = {{"threads", required_argument, nullptr, 't'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
  Options options;
  status = kWrongUsage;
  for (int c; (c = ::getopt_long(argc, argv, "t:h", kLong, nullptr)) != -1;) {
    if (c == 'h') {
      const bool written = std::fputs(kUsage, stdout) >= 0 && std::fflush(stdout) == 0;
      status = written ? 0 : kSomeFailed;
      return std::nullopt;
    }
    if (c != 't') {  // getopt_long has said what is wrong
      std::fputs(kUsage, stderr);
      return std::nullopt;
    }
    const char* const end = optarg + std::strlen(optarg);
    const auto [stop, error] = std::from_chars(optarg, end, options.num_threads);
    if (error != std::errc() || stop != end || options.num_threads < 1 ||
        options.num_threads > 32'767) {
      std::fprintf(stderr, "treesum: --threads takes a number from 1 to 32767, not '%s'\n%s",
                   optarg, kUsage);
      return std::nullopt;
    }
  }
  if (argc - optind != 1 || *argv[optind] == '\0') {
    std::fprintf(stderr, "treesum: give one directory\n%s", kUsage);
    return std::nullopt;
  }
  options.root = argv[optind];
  return options;
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

int run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = cpu_seconds();

  Activity activity;
  Report report(activity);
  Walker walker(options.root,
                [&](const std::string& path, int error) { report.failed(path, error); });
  weft::Threadpool pool(options.num_threads);
  pool.run(sum_tree(walker, report, activity));
  report.finish();

  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  // Workers without work sleep, so CPU seconds are what one thread would need: their ratio to the
  // seconds on the clock is the speed-up (a little flattered, as it counts weft's own work too).
  std::fprintf(stderr,
               "%llu files, %llu bytes, %.3f s, speed-up %.2f (CPU seconds / seconds), "
               "%llu unreadable\n",
               static_cast<unsigned long long>(activity.files.load()),
               static_cast<unsigned long long>(activity.bytes.load()), wall.count(),
               (cpu_seconds() - cpu_start) / wall.count(),
               static_cast<unsigned long long>(report.failures()));
  std::cerr << pool.metrics();
  return report.failures() == 0 ? 0 : kSomeFailed;
}

}  // namespace
}  // namespace treesum

int main(int argc, char** argv) {
  int status = 0;
  const std::optional<treesum::Options> options = treesum::parse(argc, argv, status);
  if (!options) return status;
  try {
    return treesum::run(*options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "treesum: %s\n", error.what());
    return treesum::kSomeFailed;
  }
}
