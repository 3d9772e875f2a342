// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Operations on sockets. None raises SIGPIPE: a peer that is gone is std::errc::broken_pipe.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "weft/io/awaitable.hpp"
#include "weft/io/data.hpp"

struct addrinfo;

namespace weft::io {

namespace detail {

/// Moves a message. The value: bytes.
class Message : public Awaitable<Message, std::size_t> {
 public:
  Message(std::uint8_t opcode, BorrowedFd fd, const msghdr* message, int flags) noexcept {
    entry(opcode, fd, message, 1);
    sqe().msg_flags = static_cast<std::uint32_t>(flags);
  }
};

/// Has no value.
class Control : public Awaitable<Control, void> {
 public:
  Control(std::uint8_t opcode, BorrowedFd fd, const void* address, std::size_t length,
          std::uint64_t offset = 0) noexcept {
    entry(opcode, fd, address, length, offset);
  }
};

/// The value: a socket.
class Accept : public Awaitable<Accept, Fd> {
 public:
  Accept(BorrowedFd fd, sockaddr* address, socklen_t* length, int flags) noexcept {
    entry(IORING_OP_ACCEPT, fd, address);
    sqe().addr2 = reinterpret_cast<std::uintptr_t>(length);
    sqe().accept_flags = static_cast<std::uint32_t>(flags);
  }
};

/// Done at once: the value is there when it is made.
class Listen : public Awaitable<Listen, Fd> {
 public:
  explicit Listen(Result<Fd> made) noexcept : made_(std::move(made)) {}
  bool await_ready() const noexcept { return true; }
  Result<Fd> await_resume() noexcept { return std::move(made_); }

 private:
  Result<Fd> made_;
};

/// Resolves a name on a helper thread, then tries one address after the other.
class ConnectTcp : public Awaitable<ConnectTcp, Fd> {
 public:
  WEFT_API ConnectTcp(std::string host, std::uint16_t port) noexcept;
  ConnectTcp(ConnectTcp&&) noexcept = default;
  WEFT_API ~ConnectTcp();
  Result<Fd> await_resume() {
    if (result < 0) return error_of(result);
    return std::move(socket_);
  }

 private:
  struct FreeAddresses {
    WEFT_API void operator()(addrinfo* list) const noexcept;
  };
  std::int32_t resolve() noexcept;
  bool advance() noexcept;

  std::string host_;
  std::uint16_t port_;
  Fd socket_;
  std::unique_ptr<addrinfo, FreeAddresses> addresses_;
  addrinfo* next_address_ = nullptr;
};

WEFT_API Result<Fd> listen_now(const std::string& address, std::uint16_t port, int backlog);

}  // namespace detail

/// As recv(2). \return bytes received; 0: the peer sends no more
inline auto recv(BorrowedFd fd, std::span<std::byte> buffer, int flags = 0) noexcept {
  auto op = detail::Transfer(IORING_OP_RECV, fd, buffer.data(), buffer.size(), 0);
  op.sqe().msg_flags = static_cast<std::uint32_t>(flags);
  return op;
}

/// As send(2). \return bytes sent
inline auto send(BorrowedFd fd, std::span<const std::byte> buffer, int flags = 0) noexcept {
  auto op = detail::Transfer(IORING_OP_SEND, fd, buffer.data(), buffer.size(), 0);
  op.sqe().msg_flags = static_cast<std::uint32_t>(flags | MSG_NOSIGNAL);
  return op;
}

/// Sends all of the buffer. \return its size
inline auto send_all(BorrowedFd fd, std::span<const std::byte> buffer, int flags = 0) noexcept {
  auto op = detail::TransferAll(IORING_OP_SEND, fd, buffer.data(), buffer.size(), 0);
  op.sqe().msg_flags = static_cast<std::uint32_t>(flags | MSG_NOSIGNAL);
  return op;
}

/// The same without a copy, where the kernel can (6.0): the network card reads the buffer. Ends when
/// nobody reads it any more. \return bytes sent
inline auto send_zc(BorrowedFd fd, std::span<const std::byte> buffer, int flags = 0) noexcept {
  auto op = detail::Transfer(IORING_OP_SEND_ZC, fd, buffer.data(), buffer.size(), 0);
  op.sqe().msg_flags = static_cast<std::uint32_t>(flags | MSG_NOSIGNAL);
  return op;
}

/// As recvmsg(2); `message` and all it points to must stay. \return bytes received
inline auto recvmsg(BorrowedFd fd, msghdr& message, int flags = 0) noexcept {
  return detail::Message(IORING_OP_RECVMSG, fd, &message, flags);
}

/// As sendmsg(2); `message` and all it points to must stay. \return bytes sent
inline auto sendmsg(BorrowedFd fd, const msghdr& message, int flags = 0) noexcept {
  return detail::Message(IORING_OP_SENDMSG, fd, &message, flags | MSG_NOSIGNAL);
}

/// As accept4(2). \return the connection's socket, closed on exec
inline auto accept(BorrowedFd listener, int flags = SOCK_CLOEXEC) noexcept {
  return detail::Accept(listener, nullptr, nullptr, flags);
}
inline auto accept(BorrowedFd listener, sockaddr* address, socklen_t* length,
                   int flags = SOCK_CLOEXEC) noexcept {
  return detail::Accept(listener, address, length, flags);
}

/// As connect(2); the address must stay.
inline auto connect(BorrowedFd fd, const sockaddr* address, socklen_t length) noexcept {
  return detail::Control(IORING_OP_CONNECT, fd, address, 0, length);
}

/// As shutdown(2), with SHUT_RD, SHUT_WR or SHUT_RDWR.
inline auto shutdown(BorrowedFd fd, int how = SHUT_RDWR) noexcept {
  return detail::Control(IORING_OP_SHUTDOWN, fd, nullptr, static_cast<std::size_t>(how));
}

/// A listening TCP socket, with SO_REUSEADDR, at a numeric address, IPv4 or IPv6, or at any if that is
/// empty. Port 0: any, see local_port().
inline auto listen_tcp(const std::string& address, std::uint16_t port,
                       int backlog = SOMAXCONN) {
  return detail::Listen(detail::listen_now(address, port, backlog));
}
inline auto listen_tcp(std::uint16_t port, int backlog = SOMAXCONN) {
  return listen_tcp(std::string(), port, backlog);
}

/// A TCP connection to a host, by number or by name: to the first of its addresses that accepts.
/// \return its socket, with TCP_NODELAY
inline auto connect_tcp(std::string host, std::uint16_t port) noexcept {
  return detail::ConnectTcp(std::move(host), port);
}

/// The port that a TCP or UDP socket is bound to.
WEFT_API Result<std::uint16_t> local_port(BorrowedFd socket) noexcept;

}  // namespace weft::io
