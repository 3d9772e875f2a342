// SPDX-License-Identifier: MIT OR Apache-2.0
//
// On epoll, a splice of more than fits into a blocking socket blocked the worker, which then never came
// to the task that empties the socket.

#include <weft/weft.hpp>

#include <array>
#include <cstddef>
#include <utility>

#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

constexpr std::size_t kBytes = 1 << 20;  // more than a socket takes

Task<> fill_pipe(io::BorrowedFd pipe) {
  const std::array<std::byte, 4096> block{};
  for (std::size_t sent = 0; sent < kBytes; sent += block.size()) {
    (co_await io::write_all(pipe, block)).value();
  }
}

Task<> send(io::BorrowedFd pipe, io::BorrowedFd socket) {
  for (std::size_t sent = 0; sent < kBytes;) {
    sent += (co_await io::splice(pipe, socket, kBytes - sent)).value();
  }
}

Task<std::size_t> receive(io::BorrowedFd socket) {
  std::array<std::byte, 4096> block;
  std::size_t got = 0;
  while (got < kBytes) got += (co_await io::recv(socket, block)).value();
  co_return got;
}

BOOST_AUTO_TEST_CASE(splice_into_a_full_socket) {
  const weft::test::Ends pipe = weft::test::make_pipe();
  BOOST_REQUIRE(::fcntl(pipe.second.get(), F_SETPIPE_SZ, kBytes) > 0);
  const weft::test::Ends sockets = weft::test::make_socket_pair();
  Threadpool pool(1);
  pool.run([&]() -> Task<> {
    co_await fill_pipe(pipe.second);
    Flowvar<> sender = weft::spawn(send(pipe.first, sockets.first));
    Flowvar<std::size_t> receiver = weft::spawn(receive(sockets.second));
    co_await std::move(sender);
    BOOST_TEST(co_await std::move(receiver) == kBytes);
  });
}

}  // namespace
