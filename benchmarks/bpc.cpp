// SPDX-License-Identifier: MIT OR Apache-2.0
// Bouncing producer-consumer: each producer spawns the next one and then its
// consumers, so the source of work moves whenever it is stolen.
#include <weft/weft.hpp>

#include <cstdint>

#include "support/harness.hpp"

namespace {

struct Work {
  long breadth, grain_us;
  bench::Tally done{};
};

weft::Task<> producer(Work& work, long depth) {
  if (depth > 1) weft::spawn_detached(producer(work, depth - 1));
  for (long i = 0; i < work.breadth; ++i) {
    weft::spawn_detached([&work] {
      bench::spin_for_us(work.grain_us);
      work.done.add_one();
    });
  }
  co_return;
}

weft::Task<> bounce(Work& work, long depth) {
  co_await weft::sync_scope([&]() -> weft::Task<> { co_await producer(work, depth); });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"bpc",
                               "weft",
                               {{"size", 10'000, "producers, one after the other"},
                                {"breadth", 9, "consumers per producer (harder: 999)"},
                                {"grain", 1, "microseconds per consumer"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long depth = options["size"];
  Work work{options["breadth"], options["grain"]};
  weft::Threadpool pool(options.workers);
  bench::Report report = bench::time_repeats(
      options,
      [&] {
        work.done.reset();
        pool.run(bounce(work, depth));
      },
      [&] { return bench::expect(work.done.total(), static_cast<std::uint64_t>(depth * work.breadth)); });
  report.tasks = static_cast<std::uint64_t>(depth * (work.breadth + 1));
  bench::add_share_of_ideal(report, options, depth * work.breadth, work.grain_us);
  return bench::print(program, options, report);
}
