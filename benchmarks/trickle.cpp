// SPDX-License-Identifier: MIT OR Apache-2.0
// A short task every millisecond: the CPU time beyond the tasks' own is what
// waking, spinning and going back to sleep cost.
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "support/harness.hpp"

int main(int argc, char** argv) {
  const bench::Program program{
      "trickle", "weft", {{"size", 10'000, "tasks, one per millisecond"},
                          {"grain", 50, "microseconds per task"}}, 1, 0};
  const bench::Options options = bench::parse(argc, argv, program);
  const long count = options["size"], grain = options["grain"];
  weft::Threadpool pool(options.workers);
  std::atomic<std::uint64_t> done = 0;
  bench::Report report = bench::time_repeats(
      options,
      [&] {
        done = 0;
        auto next = std::chrono::steady_clock::now();
        for (long i = 0; i < count; ++i) {
          pool.spawn_detached([&] {
            bench::spin_for_us(grain);
            done.fetch_add(1, std::memory_order_relaxed);
          });
          next += std::chrono::milliseconds(1);
          std::this_thread::sleep_until(next);
        }
        pool.sync_all();
      },
      [&] { return bench::expect(done, static_cast<std::uint64_t>(count)); });
  report.tasks = static_cast<std::uint64_t>(count);
  const double work = static_cast<double>(count * grain) * 1e-6;
  report.figures = {{"work_s", work}, {"cpu_beyond_work_s", report.cpu_seconds - work}};
  return bench::print(program, options, report);
}
