// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A task of another pool went to wait for a stream while the stream's pool ended: the wait came to a hub
// that did not read its inbox any more, or was gone. No item came, and no end. The pool ends at another
// moment each time; some of the first hundred rounds hung.

#include <weft/weft.hpp>

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

Task<int> count(io::Stream<io::Lease>& stream) {
  int items = 0;
  while (auto item = co_await stream.next()) ++items;
  co_return items;
}

BOOST_AUTO_TEST_CASE(stream_awaited_while_its_pool_ends) {
  Threadpool another({.num_threads = 2, .caller_participates = false});
  for (int round = 0; round < 300; ++round) {
    int sockets[2] = {};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets) == 0);
    const io::Fd sender(sockets[0]), receiver(sockets[1]);
    io::BufferPool buffers(8, 16);
    auto stream = io::recv_many(receiver, buffers);
    std::atomic<bool> stop{false};
    std::jthread feeder([&] {
      while (!stop.load()) {
        (void)!::send(sender.get(), "x", 1, MSG_DONTWAIT);
        std::this_thread::yield();
      }
    });
    Flowvar<int> counted, counted_too;
    {
      Threadpool pool(1);
      pool.run([&]() -> Task<> { (void)co_await stream.next(); });
      counted = another.spawn(count(stream));
      counted_too = another.spawn(count(stream));
      std::this_thread::sleep_for(std::chrono::microseconds(round % 50 * 20));
    }
    BOOST_REQUIRE(another.sync(std::move(counted)) + another.sync(std::move(counted_too)) > 0);
    stop = true;
  }
}

}  // namespace
