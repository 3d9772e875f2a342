// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task per call: the smallest work that spawns, calls and awaits.

#pragma once

#include <weft/flowvar.hpp>
#include <weft/spawn.hpp>
#include <weft/task.hpp>

#include <utility>

namespace weft::test {

inline Task<int> fib(int n) {
  if (n < 2) co_return n;
  Flowvar<int> x = spawn(fib(n - 1));
  const int y = co_await fib(n - 2);
  const int left = co_await std::move(x);
  co_return left + y;
}

}  // namespace weft::test
