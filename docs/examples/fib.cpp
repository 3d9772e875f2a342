// SPDX-License-Identifier: MIT OR Apache-2.0
//
// fib [N]: the Fibonacci number N by the definition, a task per call: the first page of the guide.
#include <weft/weft.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace {

weft::Task<std::uint64_t> fib(int n) {
  if (n < 2) co_return static_cast<std::uint64_t>(n);
  weft::Flowvar<std::uint64_t> x = weft::spawn(fib(n - 1));  // the child's frame is now stealable
  const std::uint64_t y = co_await fib(n - 2);               // a plain call: never queued
  co_return co_await std::move(x) + y;  // run it here, or leapfrog if it was stolen
}

}  // namespace

int main(int argc, char** argv) {
  const int n = argc > 1 ? std::atoi(argv[1]) : 30;
  weft::Threadpool pool;  // as many workers as CPUs this process may use
  std::cout << pool.run(fib(n)) << '\n';
}
