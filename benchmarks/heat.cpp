// SPDX-License-Identifier: MIT OR Apache-2.0
// Diffusion on a square grid, each step a recursive halving of its rows: bound by
// memory, and every step waits for the last task of the one before.
#include <weft/weft.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

weft::Task<> step(const double* from, double* to, long first, long last, long width) {
  if (last - first <= bench::kHeatLeafRows) {
    bench::heat_rows(from, to, first, last, width);
    co_return;
  }
  const long middle = first + (last - first) / 2;
  weft::Flowvar<> upper = weft::spawn(step(from, to, first, middle, width));
  co_await step(from, to, middle, last, width);
  co_await std::move(upper);
}

weft::Task<> diffuse(std::vector<double>& from, std::vector<double>& to, long width, long steps) {
  for (long s = 0; s < steps; ++s) {
    co_await step(from.data(), to.data(), 1, width - 1, width);
    from.swap(to);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{
      "heat", "weft", {{"size", 2048, "rows and columns"}, {"steps", 50, "time steps"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long width = std::max(3L, options["size"]);
  const long steps = options["steps"];
  const std::vector<double> start = bench::heat_start(width);
  const std::vector<double> want = bench::heat_serial(width, steps);

  weft::Threadpool pool(options.workers);
  std::vector<double> from, to;
  return bench::measure(
      program, options, static_cast<std::uint64_t>(steps) * bench::heat_tasks(width - 2),
      [&] {
        from = start;
        to = start;
        pool.run(diffuse(from, to, width, steps));
      },
      // The same operations per cell in the same order: equal to the last bit.
      [&] { return bench::Answer{"equal to the serial run", from == want}; });
}
