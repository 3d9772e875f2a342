// SPDX-License-Identifier: MIT OR Apache-2.0
// Single producer: one task spawns them all, so that every other worker lives by
// stealing from one queue.
#include <weft/weft.hpp>

#include <cstdint>

#include "support/harness.hpp"

namespace {

weft::Task<> produce(long count, long grain_us, bench::Tally& done) {
  co_await weft::sync_scope([&]() -> weft::Task<> {
    for (long i = 0; i < count; ++i) {
      weft::spawn_detached([grain_us, &done] {
        bench::spin_for_us(grain_us);
        done.add_one();
      });
    }
    co_return;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{
      "spc", "weft", {{"size", 1'000'000, "tasks"}, {"grain", 10, "microseconds per task"}}, 3, 0};
  const bench::Options options = bench::parse(argc, argv, program);
  const long count = options["size"], grain = options["grain"];
  weft::Threadpool pool(options.workers);
  bench::Tally done;
  bench::Report report = bench::time_repeats(
      options,
      [&] {
        done.reset();
        pool.run(produce(count, grain, done));
      },
      [&] { return bench::expect(done.total(), static_cast<std::uint64_t>(count)); });
  report.tasks = static_cast<std::uint64_t>(count);
  bench::add_share_of_ideal(report, options, count, grain);
  return bench::print(program, options, report);
}
