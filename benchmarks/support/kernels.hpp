// SPDX-License-Identifier: MIT OR Apache-2.0
// The serial work inside the tasks, and independent answers to check against.
// Shared with peers/, so that every runtime does the same work per task.
#pragma once

#include <array>
#include <boost/align/aligned_allocator.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <vector>

namespace bench {

inline std::uint64_t fib_iterative(long n) {
  std::uint64_t a = 0, b = 1;
  for (long i = 0; i < n; ++i) {
    const std::uint64_t next = a + b;
    a = b;
    b = next;
  }
  return a;
}

/// Calls that fib(n) makes, itself included.
inline std::uint64_t fib_calls(long n) { return 2 * fib_iterative(n + 1) - 1; }

inline std::uint64_t power(std::uint64_t base, long exponent) {
  std::uint64_t result = 1;
  for (long i = 0; i < exponent; ++i) result *= base;
  return result;
}

/// Nodes of a complete tree of that depth, leaves included.
inline std::uint64_t tree_nodes(std::uint64_t breadth, long depth) {
  return (power(breadth, depth + 1) - 1) / (breadth - 1);
}

// ---- n queens ---------------------------------------------------------------

inline constexpr int kMaxQueens = 16;

template <std::size_t N>
using Board = std::array<char, N>;

/// The rows in which the queen of column `column` may stand, given the ones before.
template <std::size_t N>
auto free_rows(const Board<N>& board, int column) {
  return std::views::iota(0, static_cast<int>(N)) | std::views::filter([&board, column](int row) {
           const char queen = static_cast<char>(row);
           for (int x = 0; x < column; ++x) {
             const char other = board[static_cast<std::size_t>(x)];
             const int distance = column - x;
             if (queen == other || queen == other - distance || queen == other + distance) {
               return false;
             }
           }
           return true;
         });
}

struct QueensCount {
  std::uint64_t solutions = 0;
  std::uint64_t placements = 0;  // legal partial boards, the empty one included
};

/// By bit masks: nothing in common with the code it checks.
inline void count_queens(int n, unsigned rows, unsigned down, unsigned up, QueensCount& count) {
  ++count.placements;
  const unsigned all = (1U << n) - 1;
  if (rows == all) {
    ++count.solutions;
    return;
  }
  for (unsigned free = all & ~(rows | down | up); free != 0; free &= free - 1) {
    const unsigned bit = free & -free;
    count_queens(n, rows | bit, (down | bit) << 1, (up | bit) >> 1, count);
  }
}

// ---- matrix product ---------------------------------------------------------

inline constexpr int kMatmulLeaf = 32;

inline void matmul_leaf(const int* a, const int* b, int* c, int n, int stride) {
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < n; ++k) {
      for (int j = 0; j < n; ++j) {
        c[i * stride + j] += a[i * stride + k] * b[k * stride + j];
      }
    }
  }
}

struct Matrices {
  explicit Matrices(int n)
      : size(n), a(cells()), b(cells()), c(cells()) {}

  /// The factors, and zeros for the product. In memory that is kept from run to run, as the allocator of the
  /// programs that are compared with this one keeps it: new pages are the system's time, and serial.
  void fill() {
    std::size_t at = 0;
    for (int n = size, i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j, ++at) {
        a[at] = (i ^ j) & 7;
        b[at] = (i + j) & 7;
        c[at] = 0;
      }
    }
  }

  /// Freivalds: a * (b * v) == c * v. A wrong cell always shows where v is not 0.
  bool product_is_right() const {
    const auto times = [](const auto& m, const std::vector<std::int64_t>& v) {
      const std::size_t n = v.size();
      std::vector<std::int64_t> out(n);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) out[i] += m[i * n + j] * v[j];
      }
      return out;
    };
    std::vector<std::int64_t> v(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<std::int64_t>(i * 37 % 101) + 1;
    return times(a, times(b, v)) == times(c, v);
  }

  std::size_t cells() const { return static_cast<std::size_t>(size) * static_cast<std::size_t>(size); }

  int size;
  // On pages, where the allocator of the programs that are compared with this one puts them: 16 bytes behind
  // one, as glibc does it, every vector store would touch two cache lines.
  std::vector<int, boost::alignment::aligned_allocator<int, 4096>> a, b, c;
};

/// Tasks of the recursive product: eight children per level above the leaf.
inline std::uint64_t matmul_tasks(long n) {
  long levels = 0;
  for (; n > kMatmulLeaf; n /= 2) ++levels;
  return tree_nodes(8, levels);
}

// ---- heat -------------------------------------------------------------------

inline constexpr long kHeatLeafRows = 8;

/// One explicit step of 2-D diffusion on rows [first, last); the border is fixed.
inline void heat_rows(const double* from, double* to, long first, long last, long width) {
  for (long y = first; y < last; ++y) {
    for (long x = 1; x < width - 1; ++x) {
      const double* at = from + y * width + x;
      to[y * width + x] = *at + 0.1 * (at[-1] + at[1] + at[-width] + at[width] - 4 * *at);
    }
  }
}

inline std::vector<double> heat_start(long width) {
  std::vector<double> grid(static_cast<std::size_t>(width * width), 0.0);
  for (long x = 0; x < width; ++x) {
    grid[static_cast<std::size_t>(x)] = 100.0;                // the upper border is hot,
    grid[static_cast<std::size_t>(x * width)] = static_cast<double>(x % 17);  // the left one uneven
  }
  return grid;
}

inline std::vector<double> heat_serial(long width, long steps) {
  std::vector<double> from = heat_start(width), to = from;
  for (long s = 0; s < steps; ++s) {
    heat_rows(from.data(), to.data(), 1, width - 1, width);
    from.swap(to);
  }
  return from;
}

/// Tasks of one step: a binary tree over the inner rows.
inline std::uint64_t heat_tasks(long rows) {
  return rows <= kHeatLeafRows ? 1 : 1 + heat_tasks(rows / 2) + heat_tasks(rows - rows / 2);
}

// ---- Black-Scholes ----------------------------------------------------------

struct Stock {
  float spot, strike, rate, volatility, years;
};

inline Stock stock(std::size_t i) {
  const auto unit = [i](std::size_t salt) {
    return static_cast<float>((i * 2654435761U + salt * 40503U) % 1000) / 1000.0F;
  };
  return {50 + 50 * unit(1), 50 + 50 * unit(2), 0.02F + 0.05F * unit(3), 0.1F + 0.4F * unit(4),
          0.25F + 2 * unit(5)};
}

/// The normal distribution by Abramowitz and Stegun 26.2.17, as PARSEC has it.
inline float normal_cdf(float x) {
  const float z = std::fabs(x);
  const float k = 1 / (1 + 0.2316419F * z);
  const float poly =
      k * (0.319381530F +
           k * (-0.356563782F + k * (1.781477937F + k * (-1.821255978F + k * 1.330274429F))));
  const float tail = 0.39894228040F * std::exp(-0.5F * z * z) * poly;
  return x < 0 ? tail : 1 - tail;
}

inline float call_price(const Stock& s) {
  const float root = s.volatility * std::sqrt(s.years);
  const float d1 = (std::log(s.spot / s.strike) +
                    (s.rate + 0.5F * s.volatility * s.volatility) * s.years) / root;
  return s.spot * normal_cdf(d1) - s.strike * std::exp(-s.rate * s.years) * normal_cdf(d1 - root);
}

/// The same price in double and by erfc, to check against.
inline double call_price_reference(const Stock& s) {
  const double spot = s.spot, strike = s.strike, rate = s.rate, vol = s.volatility, t = s.years;
  const double root = vol * std::sqrt(t);
  const double d1 = (std::log(spot / strike) + (rate + 0.5 * vol * vol) * t) / root;
  const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  return spot * phi(d1) - strike * std::exp(-rate * t) * phi(d1 - root);
}

inline bool prices_are_right(const std::vector<float>& prices) {
  for (std::size_t i = 0; i < prices.size(); i += 97) {
    if (!(std::fabs(prices[i] - call_price_reference(stock(i))) < 0.01)) return false;
  }
  return true;
}

}  // namespace bench
