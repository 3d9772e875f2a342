// SPDX-License-Identifier: MIT OR Apache-2.0
//
// threads: an ordinary threaded program that hands its heavy parts to a pool.
//
// No thread is special: any of them spawns on a pool and waits for it, at any time. While one
// waits it helps (Options::caller_participates), or it sleeps.
#include <weft/weft.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

namespace {

/// The number of primes in [begin, end), by halves.
weft::Task<int> count_primes(std::uint32_t begin, std::uint32_t end) {
  if (end - begin <= 1000) {
    int count = 0;
    for (std::uint32_t n = begin; n < end; ++n) {
      bool prime = n >= 2;
      for (std::uint32_t d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
      count += prime ? 1 : 0;
    }
    co_return count;
  }
  const std::uint32_t middle = begin + (end - begin) / 2;
  weft::Flowvar<int> lower = weft::spawn(count_primes(begin, middle));
  const int upper = co_await count_primes(middle, end);
  co_return co_await std::move(lower) + upper;
}

}  // namespace

int main() {
  constexpr std::uint32_t kPerThread = 100'000;
  constexpr std::size_t kThreads = 4;
  weft::Threadpool pool;

  // Four threads of our own, each with a question of its own.
  std::vector<int> answers(kThreads);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&pool, &answer = answers[i], i] {
        const auto begin = static_cast<std::uint32_t>(i) * kPerThread;
        // spawn() returns at once; this thread can do something else before it asks.
        weft::Flowvar<int> primes = pool.spawn(count_primes(begin, begin + kPerThread));
        answer = pool.sync(std::move(primes));
      });
    }
  }

  int total = 0;
  for (const int answer : answers) {
    std::cout << answer << '\n';
    total += answer;
  }
  // Spawning outside any pool uses the global one; a callable with arguments is a task as well.
  weft::Flowvar<int> doubled = weft::spawn([](int a, int b) { return a + b; }, total, total);
  std::cout << total << ' ' << weft::sync(std::move(doubled)) << '\n';
}
