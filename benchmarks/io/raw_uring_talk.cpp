// SPDX-License-Identifier: MIT OR Apache-2.0
// Conversations by hand on liburing. From sockets one request per connection receives into a ring
// of buffers time and again; from pipes, or with --multishot 0, each receive is a request.
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <optional>

#include "raw_uring.hpp"

namespace bench::io::raw_uring {
namespace {

/// Buffers for the kernel to choose from. Each connection has one message under way at most.
class Buffers {
 public:
  Buffers(io_uring* ring, std::size_t ends) : count_(static_cast<unsigned>(std::bit_ceil(ends))) {
    const std::size_t bytes = count_ * (sizeof(io_uring_buf) + kBytes);
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) called(-1, "mmap");
    ring_ = static_cast<io_uring_buf_ring*>(memory);
    bytes_ = static_cast<std::byte*>(memory) + count_ * sizeof(io_uring_buf);
    size_ = bytes;
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = count_;
    must(io_uring_register_buf_ring(ring, &registration, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(ring_);
    for (unsigned i = 0; i < count_; ++i) give_back(i);
  }
  ~Buffers() { munmap(ring_, size_); }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  const std::byte* at(unsigned buffer) const { return bytes_ + buffer * kBytes; }
  void give_back(unsigned buffer) {
    io_uring_buf_ring_add(ring_, bytes_ + buffer * kBytes, kBytes,
                          static_cast<unsigned short>(buffer), io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(ring_, 1);
  }

 private:
  static constexpr std::size_t kBytes = 256;

  unsigned count_;
  io_uring_buf_ring* ring_;
  std::byte* bytes_;
  std::size_t size_;
};

enum Kind : std::uint64_t { kReceive, kSend };

class Talk {
 public:
  Talk(std::span<Speaker> ends, bool multishot)
      : ends_(ends), open_(ends.size()), multishot_(multishot) {
    if (multishot) buffers_.emplace(ring_.get(), ends.size());
    for (std::size_t i = 0; i < ends.size(); ++i) {
      say(i, ends[i].begin());
      listen(i);
    }
  }

  void run() {
    while (open_ > 0) ring_.turn([this](const io_uring_cqe& cqe) { take(cqe); });
  }

 private:
  void say(std::size_t i, std::span<const std::byte> words) {
    if (words.empty()) return;
    const Speaker& end = ends_[i];
    io_uring_sqe& sqe = ring_.entry();
    const auto length = static_cast<unsigned>(words.size());
    if (end.is_socket()) {
      io_uring_prep_send(&sqe, end.out(), words.data(), length, MSG_WAITALL | MSG_NOSIGNAL);
    } else {
      io_uring_prep_write(&sqe, end.out(), words.data(), length, static_cast<__u64>(-1));
    }
    // A completion only if it fails: that it went well the answer will tell.
    io_uring_sqe_set_flags(&sqe, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(&sqe, i << 1 | kSend);
  }

  void listen(std::size_t i) {
    Speaker& end = ends_[i];
    io_uring_sqe& sqe = ring_.entry();
    const std::span<std::byte> room = end.room();
    if (!end.is_socket()) {
      io_uring_prep_read(&sqe, end.in(), room.data(), static_cast<unsigned>(room.size()),
                         static_cast<__u64>(-1));
    } else if (multishot_) {
      io_uring_prep_recv_multishot(&sqe, end.in(), nullptr, 0, 0);
      sqe.flags |= IOSQE_BUFFER_SELECT;
    } else {
      io_uring_prep_recv(&sqe, end.in(), room.data(), room.size(), 0);
    }
    io_uring_sqe_set_data64(&sqe, i << 1 | kReceive);
  }

  void take(const io_uring_cqe& cqe) {
    const std::size_t i = cqe.user_data >> 1;
    if ((cqe.user_data & 1) == kSend) {
      must(cqe.res, "send");
      return;
    }
    Speaker& end = ends_[i];
    if (end.done()) return;  // the other end hangs up, too
    const bool goes_on = (cqe.flags & IORING_CQE_F_MORE) != 0;
    if (cqe.res != -ENOBUFS) {
      const auto bytes = static_cast<std::size_t>(must(cqe.res, "receive"));
      if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
        const unsigned buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
        std::memcpy(end.room().data(), buffers_->at(buffer), bytes);
        buffers_->give_back(buffer);
      }
      say(i, end.hear(bytes));
      if (end.done()) {
        end.hang_up();
        --open_;
        return;
      }
    }
    if (!goes_on) listen(i);
  }

  std::span<Speaker> ends_;
  std::size_t open_;
  bool multishot_;
  std::optional<Buffers> buffers_;  // outlives the ring
  Ring ring_;
};

}  // namespace

void talk(std::span<Speaker> ends, const Options& options) {
  Talk(ends, ends.front().is_socket() && options["multishot"] != 0).run();
}

}  // namespace bench::io::raw_uring
