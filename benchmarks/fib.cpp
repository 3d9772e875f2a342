// SPDX-License-Identifier: MIT OR Apache-2.0
// Every call is a task and nothing is cut off: what is measured is the cost of
// spawn and await alone.
#include <weft/weft.hpp>

#include <cstdint>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

weft::Task<std::uint64_t> fib(int n) {
  if (n < 2) co_return static_cast<std::uint64_t>(n);
  weft::Flowvar<std::uint64_t> x = weft::spawn(fib(n - 1));
  std::uint64_t y = co_await fib(n - 2);
  co_return co_await std::move(x) + y;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"fib", "weft", {{"size", 39, "which Fibonacci number"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long n = options["size"];
  weft::Threadpool pool(options.workers);
  std::uint64_t result = 0;
  return bench::measure(
      program, options, bench::fib_calls(n),
      [&] { result = pool.run(fib(static_cast<int>(n))); },
      [&] { return bench::expect(result, bench::fib_iterative(n)); });
}
