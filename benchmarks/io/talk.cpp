// SPDX-License-Identifier: MIT OR Apache-2.0
#include "talk.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "check.hpp"

namespace bench::io {
namespace {

using weft::io::Fd;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Two descriptors for each connection, and some for all else.
void allow_connections(long connections) {
  const auto needed = static_cast<rlim_t>(2 * connections + 64);
  rlimit limit{};
  called(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = needed;
  if (limit.rlim_max < needed) {
    throw std::runtime_error(std::to_string(connections) + " connections need " +
                             std::to_string(needed) + " descriptors, and no more than " +
                             std::to_string(limit.rlim_max) + " are allowed (ulimit -n)");
  }
  called(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

Fd tcp_socket() { return Fd(called(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")); }

void send_at_once(const Fd& socket) {
  const int on = 1;
  called(setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

}  // namespace

Speaker::Speaker(const Script& script, long rounds, Fd in, Fd out)
    : script_(&script),
      rounds_(rounds),
      in_(std::move(in)),
      out_(std::move(out)),
      is_client_(rounds > 0) {
  delays_.reserve(static_cast<std::size_t>(rounds));
}

std::span<const std::byte> Speaker::begin() {
  if (!is_client_) return {};
  asked_ = Clock::now();
  return bytes_of(script_->request);
}

std::span<const std::byte> Speaker::hear(std::size_t bytes) {
  if (bytes == 0) {
    if (is_client_ || length_ != 0) throw std::runtime_error("hung up in the middle");
    done_ = true;
    return {};
  }
  length_ += bytes;
  const bool echo = script_->answer.empty();
  const std::string& due = is_client_ && !echo ? script_->answer : script_->request;
  if (length_ < due.size()) return {};
  if (length_ > due.size() || std::memcmp(heard_.data(), due.data(), length_) != 0) {
    throw std::runtime_error("heard something else than what was said");
  }
  length_ = 0;
  if (!is_client_) {
    ++answered_;
    return echo ? std::span<const std::byte>(heard_).first(due.size()) : bytes_of(script_->answer);
  }
  const auto now = Clock::now();
  delays_.push_back(std::chrono::duration<float, std::micro>(now - asked_).count());
  asked_ = now;
  if (--rounds_ > 0) return bytes_of(script_->request);
  done_ = true;
  return {};
}

void Speaker::hang_up() {
  if (is_socket()) {
    shutdown(in_.get(), SHUT_WR);  // fails if the other end is gone already
  } else {
    in_ = Fd();
    out_ = Fd();
  }
}

Conversation over_tcp(const Script& script, long connections, long rounds) {
  if (connections < 1 || rounds < connections) {
    throw std::invalid_argument("at least one connection, and a request for each");
  }
  allow_connections(connections);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  const Fd listener = tcp_socket();
  called(bind(listener.get(), where, length), "bind");
  called(listen(listener.get(), 16), "listen");
  called(getsockname(listener.get(), where, &length), "getsockname");

  Conversation made;
  for (long i = 0; i < connections; ++i) {
    Fd client = tcp_socket();
    called(connect(client.get(), where, length), "connect");
    Fd server(called(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
    send_at_once(client);
    send_at_once(server);
    const long own_rounds = rounds / connections + (i < rounds % connections ? 1 : 0);
    made.clients.emplace_back(script, own_rounds, std::move(client), Fd());
    made.servers.emplace_back(script, 0, std::move(server), Fd());
  }
  return made;
}

Conversation over_pipes(const Script& script, long rounds) {
  int there[2], back[2];
  called(pipe2(there, O_CLOEXEC), "pipe");
  called(pipe2(back, O_CLOEXEC), "pipe");
  Conversation made;
  made.clients.emplace_back(script, rounds, Fd(back[0]), Fd(there[1]));
  made.servers.emplace_back(script, 0, Fd(there[0]), Fd(back[1]));
  return made;
}

}  // namespace bench::io
