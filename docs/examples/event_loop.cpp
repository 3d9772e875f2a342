// SPDX-License-Identifier: MIT OR Apache-2.0
//
// event_loop: a program whose main thread has a poll loop of its own, as those of GUIs and of servers
// do. The pool is one more descriptor in it.
#include <weft/weft.hpp>

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <iostream>

namespace {

weft::Task<std::uint64_t> count_primes(std::uint64_t from, std::uint64_t to) {
  if (to - from > 1000) {
    const std::uint64_t middle = from + (to - from) / 2;
    weft::Flowvar<std::uint64_t> upper = weft::spawn(count_primes(middle, to));
    const std::uint64_t lower = co_await count_primes(from, middle);
    co_return lower + co_await std::move(upper);
  }
  std::uint64_t count = 0;
  for (std::uint64_t n = from; n < to; ++n) {
    std::uint64_t d = 2;
    while (d * d <= n && n % d != 0) ++d;
    if (n > 1 && d * d > n) ++count;
  }
  co_return count;
}

}  // namespace

int main() {
  using namespace std::chrono_literals;
  weft::Threadpool pool;
  const weft::io::Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const itimerspec every_ten_ms{.it_interval = {0, 10'000'000}, .it_value = {0, 10'000'000}};
  ::timerfd_settime(timer.get(), 0, &every_ten_ms, nullptr);

  weft::Flowvar<std::uint64_t> primes = pool.spawn(count_primes(0, 1'000'000));
  std::uint64_t ticks = 0;
  while (!primes.is_ready() || ticks == 0) {
    pollfd sources[] = {{timer.get(), POLLIN, 0}, {pool.wait_fd(), POLLIN, 0}};
    if (::poll(sources, 2, -1) < 0) continue;
    if (sources[0].revents != 0) {  // what else the loop is for
      std::uint64_t expired = 0;
      if (::read(timer.get(), &expired, sizeof expired) > 0) ticks += expired;
    }
    // Works here too, but for a few milliseconds only: the loop has other things to do.
    if (sources[1].revents != 0) pool.run_once(std::chrono::steady_clock::now() + 2ms);
  }
  std::cout << pool.sync(std::move(primes)) << " primes\n";
  std::cerr << ticks << " ticks meanwhile\n";
}
