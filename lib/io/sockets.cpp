// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/io/sockets.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

namespace weft::io {

namespace {

constexpr int kOn = 1;

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

// \return zero or an error number negated
std::int32_t look_up(const char* host, std::uint16_t port, int flags, addrinfo** list) noexcept {
  addrinfo hints;
  std::memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  char service[8];
  ::snprintf(service, sizeof service, "%u", static_cast<unsigned>(port));
  switch (::getaddrinfo(host, service, &hints, list)) {
    case 0: return 0;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return errno != 0 ? -errno : -EIO;
    default: return -EADDRNOTAVAIL;
  }
}

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

}  // namespace

Result<std::uint16_t> local_port(BorrowedFd socket) noexcept {
  sockaddr_storage address;
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return last_error();
  }
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return std::errc::address_family_not_supported;
}

namespace detail {

Result<Fd> listen_now(const std::string& address, std::uint16_t port, int backlog) {
  AddressList list;
  const char* const host = address.empty() ? nullptr : address.c_str();
  if (const auto error = look_up(host, port, AI_PASSIVE | AI_NUMERICHOST, &list.first); error != 0) {
    return error_of(error);
  }
  // IPv6 first: where it is to be had, it takes IPv4 too.
  std::error_code error = std::make_error_code(std::errc::address_not_available);
  for (const int family : {AF_INET6, AF_INET}) {
    for (const addrinfo* a = list.first; a != nullptr; a = a->ai_next) {
      if (a->ai_family != family) continue;
      Fd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (listener.valid() &&
          ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn) == 0 &&
          ::bind(listener.get(), a->ai_addr, a->ai_addrlen) == 0 &&
          ::listen(listener.get(), backlog) == 0) {
        return listener;
      }
      error = last_error();
    }
  }
  return error;
}

void ConnectTcp::FreeAddresses::operator()(addrinfo* list) const noexcept {
  ::freeaddrinfo(list);
}

ConnectTcp::ConnectTcp(std::string host, std::uint16_t port) noexcept
    : host_(std::move(host)), port_(port) {
  kind = Kind::kCall;
  call = [](Operation& op) noexcept { return static_cast<ConnectTcp&>(op).resolve(); };
  step = [](Operation& op) noexcept { return static_cast<ConnectTcp&>(op).advance(); };
}

ConnectTcp::~ConnectTcp() = default;

std::int32_t ConnectTcp::resolve() noexcept {
  addrinfo* list = nullptr;
  const std::int32_t error = look_up(host_.c_str(), port_, 0, &list);
  addresses_.reset(list);
  next_address_ = list;
  return error;
}

bool ConnectTcp::advance() noexcept {
  if ((kind == Kind::kEntry) == (result >= 0)) return false;  // connected, or not even resolved
  for (; next_address_ != nullptr; next_address_ = next_address_->ai_next) {
    const addrinfo& address = *next_address_;
    socket_ = Fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket_.valid()) {
      result = -errno;
      continue;
    }
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
    kind = Kind::kEntry;
    entry(IORING_OP_CONNECT, socket_.get(), address.ai_addr, 0, address.ai_addrlen);
    next_address_ = address.ai_next;
    return true;
  }
  return false;
}

}  // namespace detail

}  // namespace weft::io
