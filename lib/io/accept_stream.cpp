// SPDX-License-Identifier: MIT OR Apache-2.0
//
// accept_many.
#include <unistd.h>

#include <cerrno>

#include "io/stream.hpp"

namespace weft::io::detail {

namespace {

// The rest waits in the listener's backlog: connections that nobody takes cost descriptors.
constexpr std::size_t kMostAhead = 256;

class AcceptStream final : public StreamState {
 public:
  AcceptStream(BorrowedFd listener, int with) noexcept : StreamState(listener), accept_flags_(with) {}
  ~AcceptStream() override = default;

 private:
  std::int32_t begin(Hub& to) noexcept override {
    multishot_ = to.multishot();
    return 0;
  }

  bool prepare() noexcept override {
    sqe() = io_uring_sqe{};
    sqe().opcode = IORING_OP_ACCEPT;
    sqe().fd = fd;
    sqe().accept_flags = static_cast<std::uint32_t>(accept_flags_);
    if (multishot_) sqe().ioprio = IORING_ACCEPT_MULTISHOT;
    return true;
  }

  void take() noexcept override {
    if (result >= 0) {
      if (push(result, 0) && num_items() >= kMostAhead) interrupt();
      return;
    }
    switch (-result) {
      case ECANCELED:  // we, or the end of the stream
      case EINTR:
      case EAGAIN:
      // What happened to a connection before it was accepted, see accept(2).
      case ECONNABORTED:
      case ENETDOWN:
      case EPROTO:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case ENETUNREACH: return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
      case EPERM:  // a firewall's word, for this connection
        push(result, 0);
        return pause_before_next();
      case EINVAL:
        if (std::exchange(multishot_, false)) return;  // the kernel may not know it: one by one
        [[fallthrough]];
      default: return finish(result);
    }
  }

  void discard(std::int32_t item, std::uint32_t) noexcept override {
    if (item >= 0) ::close(item);
  }

  const int accept_flags_;
  bool multishot_ = false;
};

}  // namespace

StreamState* make_accept_stream(BorrowedFd listener, int flags) {
  return new AcceptStream(listener, flags);
}

}  // namespace weft::io::detail
