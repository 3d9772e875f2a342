// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sockets: connections, streams, messages, peers that go away.

#include <weft/weft.hpp>

#include <fcntl.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
using weft::test::text;
namespace io = weft::io;

namespace {

// As in the README.
Task<std::size_t> echo(io::Fd socket) {
  std::array<std::byte, 4096> buffer;
  for (std::size_t total = 0;;) {
    std::size_t n = (co_await io::recv(socket, buffer)).value();
    if (n == 0) co_return total;
    total += (co_await io::send_all(socket, std::span(buffer).first(n))).value();
  }
}

Task<> ask(std::uint16_t port, int times) {
  const io::Fd socket = (co_await io::connect_tcp("127.0.0.1", port)).value();
  std::array<std::byte, 100> out{};
  std::array<std::byte, 100> in{};
  for (int i = 0; i < times; ++i) {
    out[static_cast<std::size_t>(i) % 100] = static_cast<std::byte>(i);
    (co_await io::send_all(socket, out)).value();
    const std::size_t n = (co_await io::recv(socket, in, MSG_WAITALL)).value();
    weft::test::require(n == 100 && in == out, "the answer");
  }
}

BOOST_AUTO_TEST_SUITE(io_socket)

WEFT_IO_TEST_EACH_WORKERS(echo_server) {
  Threadpool pool(workers);
  constexpr int kClients = 20;
  constexpr int kTimes = 50;
  const std::size_t echoed = pool.run([&]() -> Task<std::size_t> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const std::uint16_t port = io::local_port(listener).value();
    std::vector<Flowvar<>> clients;
    for (int i = 0; i < kClients; ++i) clients.push_back(weft::spawn(ask(port, kTimes)));
    std::vector<Flowvar<std::size_t>> servers;
    for (int i = 0; i < kClients; ++i) {
      servers.push_back(weft::spawn(echo((co_await io::accept(listener)).value())));
    }
    for (auto& client : clients) co_await std::move(client);
    std::size_t sum = 0;
    for (auto& server : servers) sum += co_await std::move(server);
    co_return sum;
  });
  BOOST_TEST(echoed == 100u * kClients * kTimes);
}

BOOST_AUTO_TEST_CASE(connect_by_name_and_address) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const std::uint16_t port = io::local_port(listener).value();
    const io::Fd by_name = (co_await io::connect_tcp("localhost", port)).value();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const io::Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
    (co_await io::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address)).value();
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    const io::Fd first =
        (co_await io::accept(listener, reinterpret_cast<sockaddr*>(&peer), &length)).value();
    BOOST_TEST(peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    const io::Fd second = (co_await io::accept(listener)).value();
    BOOST_TEST(second.valid());
  });
}

// What the user set on a socket stays as it was.
BOOST_AUTO_TEST_CASE(connect_keeps_the_flags) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(io::local_port(listener).value());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const int flag : {0, static_cast<int>(SOCK_NONBLOCK)}) {
      const io::Fd socket(::socket(AF_INET, SOCK_STREAM | flag, 0));
      const int before = ::fcntl(socket.get(), F_GETFL);
      (co_await io::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address)).value();
      BOOST_TEST(::fcntl(socket.get(), F_GETFL) == before);
    }
  });
}

BOOST_AUTO_TEST_CASE(refused_and_unknown) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    std::uint16_t port = 0;
    {
      const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
      port = io::local_port(listener).value();
      BOOST_TEST(((co_await io::listen_tcp("127.0.0.1", port)).error() ==
                  std::errc::address_in_use));
    }
    BOOST_TEST(((co_await io::connect_tcp("127.0.0.1", port)).error() ==
                std::errc::connection_refused));
    BOOST_TEST(!(co_await io::connect_tcp("no.such.host.invalid", port)).has_value());
    BOOST_TEST(!(co_await io::listen_tcp("not a number", 0)).has_value());
  });
}

WEFT_IO_TEST_EACH_WORKERS(send_all_waits_for_a_slow_reader) {
  Threadpool pool(workers);
  std::vector<std::byte> out(3'000'000, std::byte{3});
  const std::size_t received = pool.run([&]() -> Task<std::size_t> {
    Ends sockets = weft::test::make_socket_pair();
    Flowvar<std::size_t> sender = weft::spawn([&]() -> Task<std::size_t> {
      const std::size_t sent = (co_await io::send_all(sockets.first, out)).value();
      (co_await io::shutdown(sockets.first, SHUT_WR)).value();
      co_return sent;
    });
    std::size_t sum = 0;
    std::vector<std::byte> buffer(10'000);
    while (const std::size_t n = (co_await io::recv(sockets.second, buffer)).value()) sum += n;
    BOOST_TEST(co_await std::move(sender) == out.size());
    co_return sum;
  });
  BOOST_TEST(received == out.size());
}

BOOST_AUTO_TEST_CASE(no_sigpipe) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    sockets.second = io::Fd();
    const auto sent = co_await io::send(sockets.first, bytes("x"));
    BOOST_TEST((sent.error() == std::errc::broken_pipe));
    const auto all = co_await io::send_all(sockets.first, bytes("x"));
    BOOST_TEST((all.error() == std::errc::broken_pipe));
  });
}

BOOST_AUTO_TEST_CASE(a_peer_resets) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    const io::Fd server = (co_await io::accept(listener)).value();
    Flowvar<bool> reader = weft::spawn([&]() -> Task<bool> {
      std::array<std::byte, 8> buffer;
      co_return (co_await io::recv(server, buffer)).error() == std::errc::connection_reset;
    });
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client = io::Fd();
    BOOST_TEST(co_await std::move(reader));
  });
}

BOOST_AUTO_TEST_CASE(messages) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    char in[16] = {};
    iovec in_vector{in, sizeof in};
    msghdr in_message{};
    in_message.msg_iov = &in_vector;
    in_message.msg_iovlen = 1;
    Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
      co_return (co_await io::recvmsg(sockets.second, in_message)).value();
    });
    char out[] = "message";
    iovec out_vector{out, 7};
    msghdr out_message{};
    out_message.msg_iov = &out_vector;
    out_message.msg_iovlen = 1;
    BOOST_TEST((co_await io::sendmsg(sockets.first, out_message)).value() == 7u);
    BOOST_TEST(co_await std::move(reader) == 7u);
    BOOST_TEST(std::string_view(in, 7) == "message");
  });
}

BOOST_AUTO_TEST_CASE(zero_copy_send) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    const io::Fd server = (co_await io::accept(listener)).value();
    const std::vector<std::byte> message(20'000, std::byte{5});
    Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
      std::vector<std::byte> in(message.size());
      const std::size_t n = (co_await io::recv(server, in, MSG_WAITALL)).value();
      co_return in == message ? n : 0;
    });
    std::vector<std::byte> out = message;
    std::size_t sent = 0;
    while (sent < out.size()) {
      const auto rest = std::span(out).subspan(sent);
      const std::size_t some = (co_await io::send_zc(client, rest)).value();
      std::ranges::fill(rest.first(some), std::byte{9});  // ours again, and nobody reads it any more
      sent += some;
    }
    BOOST_TEST(co_await std::move(reader) == out.size());
  });
}

// Nothing left for one more connection: an error, and no harm.
BOOST_AUTO_TEST_CASE(out_of_descriptors) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    (co_await io::nop()).value();
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    const int next = ::dup(0);
    ::close(next);
    {
      const weft::test::Limit none(RLIMIT_NOFILE, static_cast<rlim_t>(next));
      const auto refused = co_await io::accept(listener);
      BOOST_TEST((refused.error() == std::errc::too_many_files_open));
    }
    BOOST_TEST((co_await io::accept(listener)).has_value());
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
