// SPDX-License-Identifier: MIT OR Apache-2.0
// Depth-first walk of a complete tree, eight children per node: the fan-out of
// skynet with nothing computed at all.
#include <weft/weft.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ranges>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

constexpr std::size_t kBreadth = 8;

weft::Task<std::uint64_t> dfs(long depth) {
  if (depth == 0) co_return std::uint64_t{1};
  std::array<weft::Flowvar<std::uint64_t>, kBreadth> children;
  for (auto& child : children) child = weft::spawn(dfs(depth - 1));
  std::uint64_t leaves = 0;
  // The newest first, as they lie in the queue.
  for (auto& child : children | std::views::reverse) leaves += co_await std::move(child);
  co_return leaves;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"dfs", "weft", {{"size", 8, "depth: 8^size leaves"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long depth = options["size"];
  weft::Threadpool pool(options.workers);
  std::uint64_t result = 0;
  return bench::measure(
      program, options, bench::tree_nodes(kBreadth, depth),
      [&] { result = pool.run(dfs(depth)); },
      [&] { return bench::expect(result, bench::power(kBreadth, depth)); });
}
