// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a user's first program looks like, built in three ways by consumers.py.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <utility>

namespace {

weft::Task<std::uint64_t> fib(int n) {
  if (n < 2) co_return static_cast<std::uint64_t>(n);
  weft::Flowvar<std::uint64_t> x = weft::spawn(fib(n - 1));
  const std::uint64_t y = co_await fib(n - 2);
  co_return co_await std::move(x) + y;
}

weft::Task<bool> waits() {
  const auto slept = co_await weft::io::sleep_for(std::chrono::milliseconds(1));
  const auto done = co_await weft::io::nop();
  co_return slept.has_value() && done.has_value();
}

}  // namespace

int main() {
  weft::Threadpool pool(2);
  const std::uint64_t result = pool.run(fib(20));
  std::cout << "fib(20) = " << result << '\n';
  std::cout << "I/O on " << weft::io::backend() << '\n';
  return result == 6765 && pool.run(waits()) ? 0 : 1;
}
