// SPDX-License-Identifier: MIT OR Apache-2.0
//
// quicksort [N]: sorts N random numbers in parallel and compares with std::sort.
#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <span>
#include <vector>

namespace {

using Number = std::uint32_t;

constexpr std::size_t kSequential = 4096;  // below, a task would cost more than it brings

Number median_of_three(std::span<const Number> numbers) {
  const Number a = numbers.front();
  const Number b = numbers[numbers.size() / 2];
  const Number c = numbers.back();
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

/// The numbers outlive both halves: a Flowvar is awaited, or waits in its
/// destructor, before this frame ends.
weft::Task<> quicksort(std::span<Number> numbers) {
  if (numbers.size() <= kSequential) {
    std::sort(numbers.begin(), numbers.end());
    co_return;
  }
  // Three parts, so that many equal numbers do no harm: the middle one is in place already.
  const Number pivot = median_of_three(numbers);
  const auto middle =
      std::partition(numbers.begin(), numbers.end(), [&](Number number) { return number < pivot; });
  const auto upper =
      std::partition(middle, numbers.end(), [&](Number number) { return number == pivot; });

  weft::Flowvar<> left = weft::spawn(quicksort(std::span(numbers.begin(), middle)));
  co_await quicksort(std::span(upper, numbers.end()));
  co_await std::move(left);
}

template <class F>
double milliseconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  std::mt19937 random(42);
  std::vector<Number> numbers(count);
  for (Number& number : numbers) number = static_cast<Number>(random());
  std::vector<Number> expected = numbers;

  weft::Threadpool pool;
  const double parallel = milliseconds([&] { pool.run(quicksort(numbers)); });
  const double sequential = milliseconds([&] { std::sort(expected.begin(), expected.end()); });
  if (numbers != expected) {
    std::cerr << "quicksort: wrong order\n";
    return 1;
  }
  std::cout << "sorted " << count << " numbers: " << parallel << " ms with " << pool.num_threads()
            << " workers, std::sort " << sequential << " ms\n";
}
