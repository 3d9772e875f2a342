// SPDX-License-Identifier: MIT OR Apache-2.0
// The workloads of ../*.cpp for any fork-join runtime. A runtime is a class with
//   explicit Runtime(int workers);
//   void run(f);                                 f() inside the runtime
//   class Group { void spawn(f); void wait(); }; children of one task
// The children and the order of waiting are those of weft's own programs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "../support/harness.hpp"
#include "../support/kernels.hpp"

namespace bench::peers {

template <class Runtime>
struct Workloads {
  using Group = typename Runtime::Group;

  static std::uint64_t fib(int n) {
    if (n < 2) return static_cast<std::uint64_t>(n);
    std::uint64_t x = 0;
    Group group;
    group.spawn([&x, n] { x = fib(n - 1); });
    const std::uint64_t y = fib(n - 2);
    group.wait();
    return x + y;
  }

  static std::uint64_t skynet(std::uint64_t first, long levels) {
    if (levels == 0) return first;
    const std::uint64_t leaves = power(10, levels - 1);
    std::array<std::uint64_t, 10> results{};
    Group group;
    for (std::size_t i = 0; i < 9; ++i) {
      group.spawn([&results, i, first, leaves, levels] {
        results[i] = skynet(first + i * leaves, levels - 1);
      });
    }
    results[9] = skynet(first + 9 * leaves, levels - 1);
    group.wait();
    std::uint64_t sum = 0;
    for (const std::uint64_t r : results) sum += r;
    return sum;
  }

  template <std::size_t N>
  static int nqueens(int column, Board<N> board) {
    if (column == static_cast<int>(N)) return 1;
    std::array<int, N> results{};
    std::size_t count = 0;
    Group group;
    for (const int row : free_rows(board, column)) {
      board[static_cast<std::size_t>(column)] = static_cast<char>(row);
      int* result = &results[count++];
      group.spawn([result, column, board] { *result = nqueens<N>(column + 1, board); });
    }
    group.wait();
    int solutions = 0;
    for (std::size_t i = 0; i < count; ++i) solutions += results[i];
    return solutions;
  }

  template <std::size_t... N>
  static int nqueens(long n, std::index_sequence<N...>) {
    int result = -1;
    static_cast<void>(((static_cast<long>(N + 1) == n
                            ? (result = nqueens<N + 1>(0, Board<N + 1>{}), true)
                            : false) || ...));
    return result;
  }

  static void matmul(const int* a, const int* b, int* c, int n, int stride) {
    if (n <= kMatmulLeaf) return matmul_leaf(a, b, c, n, stride);
    const int k = n / 2;
    const int down = k * stride;
    for (int round = 0; round < 2; ++round) {
      const int* l = a + round * k;
      const int* r = b + round * down;
      Group group;
      group.spawn([=] { matmul(l, r, c, k, stride); });
      group.spawn([=] { matmul(l, r + k, c + k, k, stride); });
      group.spawn([=] { matmul(l + down, r, c + down, k, stride); });
      matmul(l + down, r + k, c + down + k, k, stride);
      group.wait();
    }
  }

  static std::uint64_t dfs(long depth) {
    if (depth == 0) return 1;
    std::array<std::uint64_t, 8> results{};
    Group group;
    for (std::uint64_t& result : results) {
      group.spawn([&result, depth] { result = dfs(depth - 1); });
    }
    group.wait();
    std::uint64_t leaves = 0;
    for (const std::uint64_t r : results) leaves += r;
    return leaves;
  }

  static void heat_step(const double* from, double* to, long first, long last, long width) {
    if (last - first <= kHeatLeafRows) return heat_rows(from, to, first, last, width);
    const long middle = first + (last - first) / 2;
    Group group;
    group.spawn([=] { heat_step(from, to, first, middle, width); });
    heat_step(from, to, middle, last, width);
    group.wait();
  }

  static void black_scholes(const Stock* stocks, float* prices, std::size_t count) {
    constexpr std::size_t kChunk = 1024;
    Group group;
    for (std::size_t first = 0; first < count; first += kChunk) {
      group.spawn([=] {
        const std::size_t last = std::min(first + kChunk, count);
        for (std::size_t i = first; i < last; ++i) prices[i] = call_price(stocks[i]);
      });
    }
    group.wait();
  }

  static void consume(Group& group, long count, long grain_us, Tally& done) {
    for (long i = 0; i < count; ++i) {
      group.spawn([grain_us, &done] {
        spin_for_us(grain_us);
        done.add_one();
      });
    }
  }

  /// A producer waits for what it spawned, its successor included: fork-join has
  /// no detached tasks.
  static void bounce(long depth, long breadth, Tally& done) {
    Group group;
    if (depth > 1) group.spawn([=, &done] { bounce(depth - 1, breadth, done); });
    consume(group, breadth, 1, done);
    group.wait();
  }
};

/// The program of one peer: its first argument names the workload.
template <class Runtime>
int peer_main(const std::string& name, int argc, char** argv) {
  using W = Workloads<Runtime>;
  const std::string workload = argc > 1 ? argv[1] : "--help";
  const std::vector<std::pair<std::string, long>> sizes{
      {"fib", 39},      {"skynet", 8},   {"nqueens", 14},
      {"matmul", 2048}, {"dfs", 8},      {"heat", 2048},
      {"black_scholes", 10'000'000},     {"spc", 1'000'000},
      {"bpc", 10'000}};
  const auto known = std::find_if(sizes.begin(), sizes.end(),
                                  [&](const auto& entry) { return entry.first == workload; });
  if (known == sizes.end()) {
    std::cerr << "usage: " << argv[0] << " WORKLOAD [--size N] [--workers N] ..., one of:";
    for (const auto& entry : sizes) std::cerr << ' ' << entry.first;
    std::cerr << '\n';
    return 2;
  }
  Program program{workload, name, {{"size", known->second, "as for weft's own program"}}};
  if (workload == "heat") program.parameters.push_back({"steps", 50, "time steps"});
  if (workload == "spc") program.parameters.push_back({"grain", 10, "microseconds per task"});
  if (workload == "bpc") program.parameters.push_back({"breadth", 9, "consumers per producer"});
  const Options options = parse(argc - 1, argv + 1, program);
  const long size = options["size"];
  Runtime runtime(options.workers);

  if (workload == "fib") {
    std::uint64_t result = 0;
    return measure(program, options, fib_calls(size),
                   [&] { runtime.run([&] { result = W::fib(static_cast<int>(size)); }); },
                   [&] { return expect(result, fib_iterative(size)); });
  }
  if (workload == "skynet") {
    std::uint64_t result = 0;
    const std::uint64_t leaves = power(10, size);
    return measure(program, options, tree_nodes(10, size),
                   [&] { runtime.run([&] { result = W::skynet(0, size); }); },
                   [&] { return expect(result, leaves * (leaves - 1) / 2); });
  }
  if (workload == "nqueens") {
    int result = 0;
    QueensCount count;
    if (size < 1 || size > kMaxQueens) return 2;
    count_queens(static_cast<int>(size), 0, 0, 0, count);
    return measure(program, options, count.placements,
                   [&] {
                     runtime.run([&] {
                       result = W::nqueens(size, std::make_index_sequence<kMaxQueens>{});
                     });
                   },
                   [&] { return expect(static_cast<std::uint64_t>(result), count.solutions); });
  }
  if (workload == "matmul") {
    const int n = static_cast<int>(size);
    Matrices m(n);
    return measure(program, options, matmul_tasks(n),
                   [&] {
                     m.fill();
                     runtime.run([&] { W::matmul(m.a.data(), m.b.data(), m.c.data(), n, n); });
                   },
                   [&] { return Answer{"Freivalds", m.product_is_right()}; });
  }
  if (workload == "dfs") {
    std::uint64_t result = 0;
    return measure(program, options, tree_nodes(8, size),
                   [&] { runtime.run([&] { result = W::dfs(size); }); },
                   [&] { return expect(result, power(8, size)); });
  }
  if (workload == "heat") {
    const long steps = options["steps"];
    const std::vector<double> start = heat_start(size), want = heat_serial(size, steps);
    std::vector<double> from, to;
    return measure(program, options, static_cast<std::uint64_t>(steps) * heat_tasks(size - 2),
                   [&] {
                     from = start;
                     to = start;
                     runtime.run([&] {
                       for (long s = 0; s < steps; ++s) {
                         W::heat_step(from.data(), to.data(), 1, size - 1, size);
                         from.swap(to);
                       }
                     });
                   },
                   [&] { return Answer{"equal to the serial run", from == want}; });
  }
  if (workload == "black_scholes") {
    const auto count = static_cast<std::size_t>(size);
    std::vector<Stock> stocks(count);
    for (std::size_t i = 0; i < count; ++i) stocks[i] = stock(i);
    std::vector<float> prices(count);
    return measure(program, options, (count + 1023) / 1024,
                   [&] {
                     std::fill(prices.begin(), prices.end(), -1.0F);
                     runtime.run([&] { W::black_scholes(stocks.data(), prices.data(), count); });
                   },
                   [&] { return Answer{"close to erfc", prices_are_right(prices)}; });
  }

  // spc and bpc: tasks of a known length
  Tally done;
  const bool single = workload == "spc";
  const long grain = single ? options["grain"] : 1;
  const long consumers = single ? size : size * options["breadth"];
  Report report = time_repeats(
      options,
      [&] {
        done.reset();
        runtime.run([&] {
          if (single) {
            typename Runtime::Group group;
            W::consume(group, size, grain, done);
            group.wait();
          } else {
            W::bounce(size, options["breadth"], done);
          }
        });
      },
      [&] { return expect(done.total(), static_cast<std::uint64_t>(consumers)); });
  report.tasks = static_cast<std::uint64_t>(single ? consumers : consumers + size);
  add_share_of_ideal(report, options, consumers, grain);
  return print(program, options, report);
}

}  // namespace bench::peers
