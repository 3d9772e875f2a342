// SPDX-License-Identifier: MIT OR Apache-2.0
// Recursive matrix product, two rounds of four children per level: coarse tasks
// (32 x 32 leaves) whose order decides what stays in the cache.
#include <weft/weft.hpp>

#include <array>
#include <iostream>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

weft::Task<> matmul(const int* a, const int* b, int* c, int n, int stride) {
  if (n <= bench::kMatmulLeaf) {
    bench::matmul_leaf(a, b, c, n, stride);
    co_return;
  }
  const int k = n / 2;
  const int down = k * stride;
  // Two rounds, so that no quarter of c is written twice at a time: the left half of a times the
  // upper half of b, then the others.
  for (const bool second : {false, true}) {
    const int* left = second ? a + k : a;
    const int* right = second ? b + down : b;
    std::array<weft::Flowvar<>, 3> children{
        weft::spawn(matmul(left, right, c, k, stride)),
        weft::spawn(matmul(left, right + k, c + k, k, stride)),
        weft::spawn(matmul(left + down, right, c + down, k, stride))};
    co_await matmul(left + down, right + k, c + down + k, k, stride);
    for (auto& child : children) co_await std::move(child);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"matmul", "weft", {{"size", 2048, "rows, a power of two"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const int n = static_cast<int>(options["size"]);
  if (n < 1 || n > 16384 || (n & (n - 1)) != 0) {
    std::cerr << "--size: a power of two up to 16384\n";
    return 2;
  }
  weft::Threadpool pool(options.workers);
  bench::Matrices m(n);
  return bench::measure(
      program, options, bench::matmul_tasks(n),
      [&] {
        m.fill();  // inside the timed part, as in the programs it is compared with
        pool.run(matmul(m.a.data(), m.b.data(), m.c.data(), n, n));
      },
      [&] { return bench::Answer{"Freivalds", m.product_is_right()}; });
}
