// SPDX-License-Identifier: MIT OR Apache-2.0
//
// echo PORT: sends back what it receives, on any number of connections. Ctrl-C ends it. Port 0: any
// that is free.
#include "interrupt.hpp"

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <charconv>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>
#include <system_error>

namespace io = weft::io;

namespace {

constexpr std::size_t kBufferBytes = 16 * 1024;

weft::Task<> echo(io::Fd socket, std::stop_token stop) {
  const auto buffer = std::make_unique<std::byte[]>(kBufferBytes);
  for (;;) {
    const auto received = co_await io::recv(socket, {buffer.get(), kBufferBytes}).stop_on(stop);
    // Nothing: the client sends no more. An error: it broke off, or we are to stop. Either way the
    // end of `socket` closes the connection.
    if (!received || *received == 0) co_return;
    if (!co_await io::send_all(socket, {buffer.get(), *received}).stop_on(stop)) co_return;
  }
}

weft::Task<> serve(std::uint16_t port, Interrupt& interrupt) {
  const io::Fd listener = (co_await io::listen_tcp(port)).value();
  std::cout << "listening on port " << io::local_port(listener).value() << std::endl;
  const std::stop_token stop = interrupt.token();
  const weft::Flowvar<> signals = weft::spawn(interrupt.wait());

  // The scope ends when the last connection has.
  co_await weft::sync_scope([&]() -> weft::Task<> {
    io::Stream<io::Fd> connections = io::accept_many(listener).stop_on(stop);
    while (auto connection = co_await connections.next()) {
      if (*connection) {
        weft::spawn_detached(echo(std::move(**connection), stop));
      } else if (connection->error() != std::errc::operation_canceled) {
        std::cerr << "echo: accept: " << connection->error().message() << '\n';
      }
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  const std::string_view argument = argc == 2 ? argv[1] : "";
  const auto [rest, error_code] =
      std::from_chars(argument.data(), argument.data() + argument.size(), port);
  if (error_code != std::errc() || rest != argument.data() + argument.size()) {
    std::cerr << "Usage: echo PORT\n";
    return 2;
  }
  try {
    Interrupt interrupt;
    weft::Threadpool pool;
    pool.run(serve(port, interrupt));
  } catch (const std::exception& error) {
    std::cerr << "echo: " << error.what() << '\n';
    return 1;
  }
}
