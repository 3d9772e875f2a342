// SPDX-License-Identifier: MIT OR Apache-2.0
//
// recv_many.
#include <sys/socket.h>

#include <cerrno>

#include "io/shelf.hpp"
#include "io/stream.hpp"
#include "weft/io/receive.hpp"

namespace weft::io::detail {

namespace {

bool is_datagram(int socket) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/// Where the kernel chooses the buffer, one request receives until buffers are out.
class RecvStream final : public StreamState {
 public:
  RecvStream(BorrowedFd socket, Shelves& shelves, int flags) noexcept
      : StreamState(socket), shelves_(shelves), receiver_{.fd = socket.get(), .flags = flags} {}
  ~RecvStream() override = default;

 private:
  std::int32_t begin(Hub& to) noexcept override {
    receiver_.shelf = shelves_.of(to);
    if (receiver_.shelf == nullptr) return -ENOMEM;
    receiver_.shelf->add_user();
    return 0;
  }

  void end() noexcept override {
    if (receiver_.shelf != nullptr) receiver_.shelf->remove_user_of(*hub);
  }

  bool prepare() noexcept override { return receiver_.prepare(*this, true); }
  void stop_missing() noexcept override { receiver_.shelf->stop_waiting(*this); }
  void withdrawn() noexcept override { receiver_.withdraw(); }

  void take() noexcept override {
    switch (receiver_.take(*this)) {
      case Receiver::Outcome::kGot: push(result, completion_flags); return;
      case Receiver::Outcome::kEnd:
        if (push(0, 0) && !is_datagram(fd)) finish(0);
        return;
      case Receiver::Outcome::kAgain: return;
      case Receiver::Outcome::kFailed: finish(result);
    }
  }

  void discard(std::int32_t, std::uint32_t item_flags) noexcept override {
    if ((item_flags & IORING_CQE_F_BUFFER) != 0) {
      receiver_.shelf->give_back(item_flags >> IORING_CQE_BUFFER_SHIFT);
    }
  }

  Shelf* shelf() noexcept override { return receiver_.shelf; }

  Shelves& shelves_;
  Receiver receiver_;
};

}  // namespace

StreamState* make_recv_stream(BorrowedFd socket, Shelves& shelves, int flags) {
  return new RecvStream(socket, shelves, flags & ~MSG_DONTWAIT);  // it waits
}

}  // namespace weft::io::detail
