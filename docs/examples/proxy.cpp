// SPDX-License-Identifier: MIT OR Apache-2.0
//
// proxy PORT HOST HOST_PORT: passes TCP connections on. Ctrl-C ends it. Port 0: any that is free.
#include "interrupt.hpp"

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>

namespace io = weft::io;

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

struct Target {
  std::string host;
  std::uint16_t port;
};

/// Passes on what comes, until the end, and then that. It receives only when all before is sent: so
/// whoever sends is as slow as the one who receives, and a direction needs one buffer.
weft::Task<> forward(const io::Fd& from, const io::Fd& to, std::stop_token stop) {
  const auto buffer = std::make_unique<std::byte[]>(kBufferBytes);
  for (;;) {
    const auto received = co_await io::recv(from, {buffer.get(), kBufferBytes}).stop_on(stop);
    if (!received) break;
    if (*received == 0) {  // nothing more this way; the other way may go on
      (void)co_await io::shutdown(to, SHUT_WR);
      co_return;
    }
    if (!co_await io::send_all(to, {buffer.get(), *received}).stop_on(stop)) break;
  }
  // One side has broken off: end the other direction, too.
  (void)co_await io::shutdown(from);
  (void)co_await io::shutdown(to);
}

weft::Task<> serve_client(const Target& target, io::Fd client, std::stop_token stop) {
  try {
    const io::Fd server =
        (co_await io::connect_tcp(target.host, target.port).stop_on(stop)).value();
    weft::Flowvar<> back = weft::spawn(forward(server, client, stop));
    co_await forward(client, server, stop);
    co_await std::move(back);
  } catch (const std::exception& error) {
    std::cerr << "proxy: " << error.what() << '\n';
  }
}

weft::Task<> serve(std::uint16_t port, const Target& target, Interrupt& interrupt) {
  const io::Fd listener = (co_await io::listen_tcp(port)).value();
  std::cout << "listening on port " << io::local_port(listener).value() << std::endl;
  const std::stop_token stop = interrupt.token();
  const weft::Flowvar<> signals = weft::spawn(interrupt.wait());

  co_await weft::sync_scope([&]() -> weft::Task<> {
    io::Stream<io::Fd> connections = io::accept_many(listener).stop_on(stop);
    while (auto connection = co_await connections.next()) {
      if (*connection) {
        weft::spawn_detached(serve_client(target, std::move(**connection), stop));
      } else if (connection->error() != std::errc::operation_canceled) {
        std::cerr << "proxy: accept: " << connection->error().message() << '\n';
      }
    }
  });
}

bool parse(std::string_view text, std::uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  Target target{};
  if (argc != 4 || !parse(argv[1], port) || !parse(argv[3], target.port)) {
    std::cerr << "Usage: proxy PORT HOST HOST_PORT\n";
    return 2;
  }
  target.host = argv[2];
  try {
    Interrupt interrupt;
    weft::Threadpool pool;
    pool.run(serve(port, target, interrupt));
  } catch (const std::exception& error) {
    std::cerr << "proxy: " << error.what() << '\n';
    return 1;
  }
}
