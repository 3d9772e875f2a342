// SPDX-License-Identifier: MIT OR Apache-2.0
//
// connect_tcp gave up when the first of a name's addresses refused. The resolver of this program knows
// a name with two addresses, where only the second one listens.

#include <weft/weft.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

std::uint16_t first_port = 0;
std::uint16_t second_port = 0;

struct TwoAddresses {
  sockaddr_in sockets[2] = {};
  addrinfo entries[2] = {};
};

TwoAddresses& two_addresses() {
  static TwoAddresses two;
  return two;
}

}  // namespace

// In place of libc's.
extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo** list) {
  TwoAddresses& two = two_addresses();
  for (int i = 0; i < 2; ++i) {
    two.sockets[i].sin_family = AF_INET;
    two.sockets[i].sin_port = htons(i == 0 ? first_port : second_port);
    two.sockets[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    two.entries[i].ai_family = AF_INET;
    two.entries[i].ai_socktype = SOCK_STREAM;
    two.entries[i].ai_addr = reinterpret_cast<sockaddr*>(&two.sockets[i]);
    two.entries[i].ai_addrlen = sizeof two.sockets[i];
    two.entries[i].ai_next = i == 0 ? &two.entries[1] : nullptr;
  }
  *list = two.entries;
  return 0;
}
extern "C" void freeaddrinfo(addrinfo*) noexcept {}

namespace {

io::Fd bound_socket(bool listens, std::uint16_t& port) {
  io::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_REQUIRE(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (listens) BOOST_REQUIRE(::listen(made.get(), 8) == 0);
  port = io::local_port(made).value();
  return made;
}

BOOST_AUTO_TEST_CASE(connect_to_the_next_address) {
  const io::Fd refuses = bound_socket(false, first_port);
  const io::Fd listens = bound_socket(true, second_port);
  Threadpool pool(2);
  pool.run([]() -> Task<> {
    const io::Fd socket = (co_await io::connect_tcp("two", 1)).value();
    BOOST_TEST(socket.valid());
    // Neither listens: the last one's error.
    second_port = first_port;
    BOOST_TEST(((co_await io::connect_tcp("two", 1)).error() == std::errc::connection_refused));
  });
}

}  // namespace
