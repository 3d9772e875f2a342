// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A stream whose pool is gone has what it had, for whoever asks. Several tasks may, on several threads, and
// they took without looking at each other: two got the same buffer, and gave it back twice.

#include <weft/weft.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

Task<std::vector<io::Lease>> take_all(io::Stream<io::Lease>& stream, std::atomic<int>& left) {
  // All begin at the same time: each has a worker of its own.
  left.fetch_sub(1);
  while (left.load() > 0) std::this_thread::yield();
  std::vector<io::Lease> leases;
  while (auto item = co_await stream.next()) {
    if (*item) leases.push_back(std::move(*item).value());
  }
  co_return leases;
}

BOOST_AUTO_TEST_CASE(left_over_items_taken_twice) {
  constexpr int kMessages = 64, kTakers = 2;
  // On epoll nothing is received that nobody waits for.
  for (int round = 0; round < 200; ++round) {
    int sockets[2] = {};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets) == 0);
    const io::Fd sender(sockets[0]), receiver(sockets[1]);
    io::BufferPool buffers(kMessages, 16);
    auto stream = io::recv_many(receiver, buffers);
    {
      Threadpool pool(1);
      pool.run([&]() -> Task<> {
        for (int i = 0; i < 8; ++i) {
          for (int k = 0; k < kMessages / 8; ++k) (void)!::send(sender.get(), "x", 1, MSG_DONTWAIT);
          if (i == 0) (void)co_await stream.next();
          (void)co_await io::nop();
        }
      });
    }
    Threadpool pool({.num_threads = kTakers, .caller_participates = false});
    std::atomic<int> left{kTakers};
    std::vector<Flowvar<std::vector<io::Lease>>> takers;
    for (int i = 0; i < kTakers; ++i) takers.push_back(pool.spawn(take_all(stream, left)));
    std::vector<io::Lease> all;
    for (auto& taker : takers) {
      for (io::Lease& lease : pool.sync(std::move(taker))) all.push_back(std::move(lease));
    }
    std::vector<const std::byte*> addresses;
    for (const io::Lease& lease : all) addresses.push_back(lease.bytes().data());
    std::sort(addresses.begin(), addresses.end());
    BOOST_REQUIRE((std::adjacent_find(addresses.begin(), addresses.end()) == addresses.end()));
    if (round == 0) BOOST_TEST_MESSAGE(addresses.size() << " left over");
  }
}

}  // namespace
