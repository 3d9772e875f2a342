// SPDX-License-Identifier: MIT OR Apache-2.0
// A tree of ten children per node, each leaf returns its number: many short
// tasks awaited one after the other.
#include <weft/weft.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ranges>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

weft::Task<std::uint64_t> skynet(std::uint64_t first, long levels) {
  if (levels == 0) co_return first;
  const std::uint64_t leaves = bench::power(10, levels - 1);

  std::array<weft::Flowvar<std::uint64_t>, 9> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i] = weft::spawn(skynet(first + i * leaves, levels - 1));
  }
  std::uint64_t sum = co_await skynet(first + 9 * leaves, levels - 1);
  // The newest first, as they lie in the queue.
  for (auto& child : children | std::views::reverse) sum += co_await std::move(child);
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"skynet", "weft", {{"size", 8, "levels: 10^size leaves"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long levels = options["size"];
  const std::uint64_t leaves = bench::power(10, levels);
  weft::Threadpool pool(options.workers);
  std::uint64_t result = 0;
  return bench::measure(
      program, options, bench::tree_nodes(10, levels),
      [&] { result = pool.run(skynet(0, levels)); },
      [&] { return bench::expect(result, leaves * (leaves - 1) / 2); });
}
