// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool costs that has nothing to do, and a thread that only waits: CPU
// time and context switches of the whole process.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

weft::Task<std::uint64_t> fib(int n) {
  if (n < 2) co_return static_cast<std::uint64_t>(n);
  weft::Flowvar<std::uint64_t> x = weft::spawn(fib(n - 1));
  std::uint64_t y = co_await fib(n - 2);
  co_return co_await std::move(x) + y;
}

void cost_of(bench::Report& report, const std::string& name, const std::function<void()>& wait) {
  const bench::Usage before = bench::usage_now();
  wait();
  const bench::Usage after = bench::usage_now();
  report.figures.emplace_back(name + "_cpu_ms", 1e3 * (after.cpu_seconds - before.cpu_seconds));
  report.figures.emplace_back(
      name + "_switches", static_cast<double>(after.voluntary_switches - before.voluntary_switches +
                                              after.involuntary_switches - before.involuntary_switches));
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{
      "idle", "weft",
      {{"size", 10, "seconds without work"}, {"wait", 3, "seconds that the awaited task sleeps"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const auto nap = [&] { std::this_thread::sleep_for(std::chrono::seconds(options["wait"])); };

  bench::Report report;
  weft::Threadpool pool(options.workers);
  // Every worker has run before it idles, and must still work afterwards.
  std::uint64_t sum = pool.run(fib(25));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const bench::Usage start = bench::usage_now();
  cost_of(report, "idle",
          [&] { std::this_thread::sleep_for(std::chrono::seconds(options["size"])); });
  cost_of(report, "sync", [&] { pool.sync(pool.spawn(nap)); });
  cost_of(report, "sync_all", [&] {
    pool.spawn_detached(nap);
    pool.sync_all();
  });
  cost_of(report, "sync_scope", [&] { pool.sync_scope([&] { pool.spawn_detached(nap); }); });
  report.cpu_seconds = bench::usage_now().cpu_seconds - start.cpu_seconds;
  sum += pool.run(fib(25));
  report.answer = bench::expect(sum, 2 * bench::fib_iterative(25));
  return bench::print(program, options, report);
}
