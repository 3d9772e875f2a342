// SPDX-License-Identifier: MIT OR Apache-2.0
// All placements of n queens, a task per legal partial placement: an uneven tree
// with up to n children that are awaited one after the other.
#include <weft/weft.hpp>

#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <ranges>
#include <utility>

#include "support/harness.hpp"
#include "support/kernels.hpp"

namespace {

template <std::size_t N>
weft::Task<int> nqueens(int column, bench::Board<N> board) {
  if (column == static_cast<int>(N)) co_return 1;

  boost::container::static_vector<weft::Flowvar<int>, N> children;
  for (const int row : bench::free_rows(board, column)) {
    board[static_cast<std::size_t>(column)] = static_cast<char>(row);
    children.push_back(weft::spawn(nqueens<N>(column + 1, board)));
  }
  int solutions = 0;
  // The newest first, as they lie in the queue.
  for (auto& child : children | std::views::reverse) solutions += co_await std::move(child);
  co_return solutions;
}

template <std::size_t N>
int solve(weft::Threadpool& pool) {
  return pool.run(nqueens<N>(0, bench::Board<N>{}));
}

/// The board's size is part of its type; pick the instance for a number.
template <std::size_t... N>
int solve(weft::Threadpool& pool, long n, std::index_sequence<N...>) {
  int result = -1;
  static_cast<void>(
      ((static_cast<long>(N + 1) == n ? (result = solve<N + 1>(pool), true) : false) || ...));
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"nqueens", "weft", {{"size", 14, "queens, 1 to 16"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long n = options["size"];
  if (n < 1 || n > bench::kMaxQueens) {
    std::cerr << "--size: between 1 and " << bench::kMaxQueens << '\n';
    return 2;
  }
  bench::QueensCount count;
  bench::count_queens(static_cast<int>(n), 0, 0, 0, count);

  weft::Threadpool pool(options.workers);
  int result = 0;
  return bench::measure(
      program, options, count.placements,
      [&] { result = solve(pool, n, std::make_index_sequence<bench::kMaxQueens>{}); },
      [&] { return bench::expect(static_cast<std::uint64_t>(result), count.solutions); });
}
