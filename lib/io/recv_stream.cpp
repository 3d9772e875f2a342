// SPDX-License-Identifier: MIT OR Apache-2.0
//
// recv_many.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/shelf.hpp"
#include "io/stream.hpp"

namespace weft::io::detail {

namespace {

bool is_datagram(int socket) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/// Where the kernel chooses the buffer, one request receives until buffers are out. Elsewhere: wait for
/// data, choose a buffer, receive, so that here too a quiet connection holds none.
class RecvStream final : public StreamState {
 public:
  RecvStream(BorrowedFd socket, Shelves& shelves, int with) noexcept
      : StreamState(socket), shelves_(shelves), recv_flags_(with) {}
  ~RecvStream() override = default;

 private:
  std::int32_t begin(Hub& to) noexcept override {
    shelf_ = shelves_.of(to);
    if (shelf_ == nullptr) return -ENOMEM;
    shelf_->add_user();
    return 0;
  }

  void end() noexcept override {
    if (shelf_ == nullptr) return;
    shelf_->remove_user();
    if (shelf_->abandoned()) shelf_->disconnect(*hub);
  }

  bool prepare() noexcept override {
    sqe() = io_uring_sqe{};
    sqe().fd = fd;
    if (shelf_->kernel_chooses()) {
      if (!shelf_->stocked() && shelf_->wait(*this)) return false;
      sqe().opcode = IORING_OP_RECV;
      sqe().msg_flags = static_cast<std::uint32_t>(recv_flags_);
      sqe().ioprio = IORING_RECV_MULTISHOT;
      sqe().flags = IOSQE_BUFFER_SELECT;
      sqe().buf_group = shelf_->group();
    } else if (!readable_) {
      sqe().opcode = IORING_OP_POLL_ADD;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
      sqe().poll32_events = std::uint32_t{POLLIN} << 16;
#else
      sqe().poll32_events = POLLIN;
#endif
    } else {
      buffer_ = shelf_->take();
      if (buffer_ < 0 && shelf_->wait(*this)) return false;
      if (buffer_ < 0) buffer_ = shelf_->take();
      sqe().opcode = IORING_OP_RECV;
      sqe().addr = reinterpret_cast<std::uintptr_t>(shelf_->address(buffer()));
      sqe().len = shelves_.bytes;
      sqe().msg_flags = static_cast<std::uint32_t>(recv_flags_) | MSG_DONTWAIT;
    }
    return true;
  }

  void stop_missing() noexcept override { shelf_->stop_waiting(*this); }

  void take() noexcept override {
    if (shelf_->kernel_chooses()) return received(completion_flags);
    if (sqe().opcode == IORING_OP_POLL_ADD) {
      readable_ = result > 0;
      if (result < 0) failed();
      return;
    }
    // If it was filled there may be more.
    readable_ = result > 0 && static_cast<std::uint32_t>(result) == shelves_.bytes;
    const std::uint32_t chosen = buffer();
    buffer_ = -1;
    received(IORING_CQE_F_BUFFER | chosen << IORING_CQE_BUFFER_SHIFT);
  }

  void received(std::uint32_t with) noexcept {
    const bool has_buffer = (with & IORING_CQE_F_BUFFER) != 0;
    const std::uint32_t which = with >> IORING_CQE_BUFFER_SHIFT;
    if (has_buffer && shelf_->kernel_chooses()) shelf_->chosen(which);
    if (result > 0) {
      // Of a datagram that was cut off the kernel may tell the whole length.
      push(std::min(result, static_cast<std::int32_t>(shelves_.bytes)), with);
      return;
    }
    if (has_buffer) shelf_->give_back(which);
    if (result < 0) return failed();
    if (push(0, 0) && !is_datagram(fd)) finish(0);
  }

  void failed() noexcept {
    switch (-result) {
      case ECANCELED:  // we, or the end of the stream
      case EINTR:
      case EAGAIN:  // somebody else was faster
      case ENOBUFS: return;  // no buffer: prepare() waits for one
      default: finish(result);
    }
  }

  void withdrawn() noexcept override {
    if (buffer_ >= 0) shelf_->give_back(static_cast<std::uint32_t>(std::exchange(buffer_, -1)));
  }

  void discard(std::int32_t, std::uint32_t item_flags) noexcept override {
    if ((item_flags & IORING_CQE_F_BUFFER) != 0) {
      shelf_->give_back(item_flags >> IORING_CQE_BUFFER_SHIFT);
    }
  }

  Shelf* shelf() noexcept override { return shelf_; }

  std::uint32_t buffer() const noexcept { return static_cast<std::uint32_t>(buffer_); }

  Shelves& shelves_;
  const int recv_flags_;
  Shelf* shelf_ = nullptr;
  std::int32_t buffer_ = -1;  // in which it receives now
  bool readable_ = false;
};

}  // namespace

StreamState* make_recv_stream(BorrowedFd socket, Shelves& shelves, int flags) {
  return new RecvStream(socket, shelves, flags);
}

}  // namespace weft::io::detail
