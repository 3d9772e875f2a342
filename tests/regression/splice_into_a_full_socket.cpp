// SPDX-License-Identifier: MIT OR Apache-2.0
//
// On epoll, a splice of more than fits into a blocking socket blocked the worker, which then never came
// to the task that empties the socket. On a ring, one into a socket with O_NONBLOCK, or out of an empty pipe
// with it, failed with EAGAIN, where it waited on epoll.

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

void splice_into_a_full_socket_with(int pipe_flags, int socket_flags) {
  const weft::test::Ends pipe = weft::test::make_pipe(pipe_flags);
  BOOST_REQUIRE(::fcntl(pipe.second.get(), F_SETPIPE_SZ, kBytes) > 0);
  const weft::test::Ends sockets = weft::test::make_socket_pair(socket_flags);
  Threadpool pool(1);
  pool.run([&]() -> Task<> {
    co_await fill_pipe(pipe.second);
    Flowvar<> sender = weft::spawn(send(pipe.first, sockets.first));
    Flowvar<std::size_t> receiver = weft::spawn(receive(sockets.second));
    co_await std::move(sender);
    BOOST_TEST(co_await std::move(receiver) == kBytes);
  });
}

BOOST_AUTO_TEST_CASE(splice_into_a_full_socket) {
  splice_into_a_full_socket_with(0, 0);
  splice_into_a_full_socket_with(0, SOCK_NONBLOCK);
  splice_into_a_full_socket_with(O_NONBLOCK, 0);
}

BOOST_AUTO_TEST_CASE(splice_out_of_an_empty_pipe) {
  for (const int flags : {0, O_NONBLOCK}) {
    const weft::test::Ends from = weft::test::make_pipe(flags);
    const weft::test::Ends to = weft::test::make_pipe(flags);
    Threadpool pool(1);
    pool.run([&]() -> Task<> {
      Flowvar<std::size_t> moved = weft::spawn([&]() -> Task<std::size_t> {
        co_return (co_await io::splice(from.first, to.second, 100)).value();
      });
      (co_await io::sleep_for(std::chrono::milliseconds(5))).value();  // it has been tried
      (co_await io::write(from.second, weft::test::bytes("some"))).value();
      BOOST_TEST(co_await std::move(moved) == 4u);
      const auto at_once = co_await io::splice(from.first, to.second, 100, SPLICE_F_NONBLOCK);
      BOOST_TEST((at_once.error() == std::errc::resource_unavailable_try_again));
      (void)co_await io::splice(from.first, to.second, 100).timeout(std::chrono::milliseconds(1));
    });
  }
}

}  // namespace
