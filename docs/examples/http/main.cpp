// SPDX-License-Identifier: MIT OR Apache-2.0
//
// httpd [-t SECONDS] DIRECTORY PORT: serves the files below DIRECTORY by HTTP/1.1, and /fib?n=30 by
// computing. Port 0: any that is free. Ctrl-C: answers what was asked, then ends.
#include "../interrupt.hpp"
#include "connection.hpp"
#include "site.hpp"

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace io = weft::io;

namespace {

weft::Task<> serve_client(const http::Server& server, io::Fd socket) {
  try {
    http::Connection connection(server, std::move(socket));
    co_await connection.run();
  } catch (const std::exception& error) {  // out of memory, say: the others may have some
    std::cerr << "httpd: " << error.what() << '\n';
  }
}

weft::Task<> serve(const http::Server& server, std::uint16_t port, Interrupt& interrupt) {
  io::Fd listener = (co_await io::listen_tcp(port)).value();
  std::cout << "listening on port " << io::local_port(listener).value() << std::endl;
  const weft::Flowvar<> signals = weft::spawn(interrupt.wait());

  // The scope ends when the last connection has.
  co_await weft::sync_scope([&]() -> weft::Task<> {
    io::Stream<io::Fd> connections =
        io::accept_many(listener, SOCK_CLOEXEC | SOCK_NONBLOCK).stop_on(server.stop);
    while (auto connection = co_await connections.next()) {
      if (*connection) {
        weft::spawn_detached(serve_client(server, std::move(**connection)));
      } else if (connection->error() != std::errc::operation_canceled) {
        std::cerr << "httpd: accept: " << connection->error().message() << '\n';
      }
    }
    listener = io::Fd();  // new clients are to look elsewhere already
  });
}

template <class Number>
bool parse(const char* text, Number& number) {
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  return error == std::errc() && rest == end;
}

int usage() {
  std::cerr << "Usage: httpd [-t SECONDS] DIRECTORY PORT\n"
               "  -t  how long to wait for a client (default: 10)\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned seconds = 10;
  std::uint16_t port = 0;
  for (int c; (c = ::getopt(argc, argv, "t:")) != -1;) {
    if (c != 't' || !parse(optarg, seconds) || seconds == 0) return usage();
  }
  if (argc - optind != 2 || !parse(argv[optind + 1], port)) return usage();

  try {
    Interrupt interrupt;
    const http::Site site(argv[optind]);
    weft::Threadpool compute(weft::Threadpool::Options{.caller_participates = false});
    weft::Threadpool pool;
    const http::Server server{.site = site,
                              .compute = compute,
                              .idle = std::chrono::seconds(seconds),
                              .patience = std::chrono::seconds(seconds),
                              .stop = interrupt.token()};
    pool.run(serve(server, port, interrupt));
  } catch (const std::exception& error) {
    std::cerr << "httpd: " << error.what() << '\n';
    return 1;
  }
}
