// SPDX-License-Identifier: MIT OR Apache-2.0
//
// exceptions: where an exception that leaves a task goes, and what a scope guarantees.
#include <weft/weft.hpp>

#include <atomic>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

weft::Task<int> parse_digit(char c) {
  if (c < '0' || c > '9') throw std::invalid_argument(std::string("not a digit: ") + c);
  co_return c - '0';
}

/// An exception comes out where the result would have: at the co_await.
weft::Task<int> add_digits(char a, char b) {
  weft::Flowvar<int> x = weft::spawn(parse_digit(a));
  weft::Flowvar<int> y = weft::spawn(parse_digit(b));
  // If the first co_await throws, y is dropped; that waits for its task, so nothing is left behind.
  const int first = co_await std::move(x);
  co_return first + co_await std::move(y);
}

weft::Task<> throw_late() {
  throw std::runtime_error("from inside the scope");
  co_return;  // makes this a coroutine
}

/// A scope ends only when everything spawned inside has ended, also if one of them failed: its
/// exception is rethrown after that. So references to locals are safe in every task of the scope.
weft::Task<int> count_in_scope() {
  std::atomic<int> finished = 0;
  try {
    co_await weft::sync_scope([&]() -> weft::Task<> {
      for (int i = 0; i < 100; ++i) {
        weft::spawn_detached([&finished] { finished.fetch_add(1, std::memory_order_relaxed); });
      }
      co_await throw_late();
    });
  } catch (const std::runtime_error& error) {
    std::cout << "caught: " << error.what() << '\n';
  }
  co_return finished.load();
}

}  // namespace

int main() {
  weft::Threadpool pool;
  std::cout << "4 + 2 = " << pool.run(add_digits('4', '2')) << '\n';
  try {
    pool.run(add_digits('4', 'x'));
  } catch (const std::invalid_argument& error) {
    std::cout << "caught: " << error.what() << '\n';
  }
  std::cout << pool.run(count_in_scope()) << " tasks of the scope finished\n";
}
