// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The only worker found one frame ready, and nothing else, each time it looked: one that slept for no time at
// all, say. So it never came to sleep, and the turn before the sleep left the submission to that: nothing
// else that had been started went to the kernel, nor was anything taken from there.

#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <thread>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;
using namespace std::chrono_literals;

namespace {

BOOST_AUTO_TEST_CASE(io_behind_one_frame) {
  weft::test::Ends sockets = weft::test::make_socket_pair();
  std::thread sender;
  bool received = false;
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached([&]() -> Task<> {
      std::array<std::byte, 1> byte;
      (co_await io::recv(sockets.second, byte)).value();
      received = true;
    });
    weft::spawn_detached([&]() -> Task<> {
      for (int i = 0; i < 100; ++i) (co_await io::sleep_for(0ns)).value();  // by now the other one waits
      sender = std::thread([&] { BOOST_TEST(::send(sockets.first.get(), "x", 1, 0) == 1); });
      while (!received) (co_await io::sleep_for(0ns)).value();
    });
    co_return;
  }));
  sender.join();
  BOOST_TEST(received);
}

}  // namespace
