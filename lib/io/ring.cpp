// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver on io_uring: how a ring is made, and what it can do.
#include "io/ring.hpp"

#include <sys/uio.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace weft::io::detail {

namespace {

// Newer than liburing 2.3 (Linux 6.15).
constexpr unsigned kEnterNoIowait = 1u << 7;
constexpr unsigned kFeatureNoIowait = 1u << 17;

}  // namespace

int Ring::make() noexcept {
  constexpr unsigned kLadder[] = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
          IORING_SETUP_SUBMIT_ALL,
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
      0,
  };
  int error = -ENOSYS;
  for (const unsigned flags : kLadder) {
    io_uring_params params;
    std::memset(&params, 0, sizeof params);
    params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = kCompletions;
    error = io_uring_queue_init_params(kSubmissions, &ring_, &params);
    if (error == -EINVAL) continue;  // a flag that this kernel does not know
    break;
  }
  if (error != 0) return error;
  made_ = true;
  // Nothing is ever dropped, and waiting takes a timeout: Linux 5.11.
  if ((ring_.features & IORING_FEAT_NODROP) == 0 || (ring_.features & IORING_FEAT_EXT_ARG) == 0) {
    return -ENOSYS;
  }
  // Entry i of the indirection always names slot i, so that submitting is moving the tail.
  if (ring_.sq.array != nullptr) {
    for (unsigned i = 0; i < *ring_.sq.kring_entries; ++i) ring_.sq.array[i] = i;
  }
  look_what_is_supported();
  enter_flags_ = IORING_ENTER_GETEVENTS;
  if ((ring_.features & kFeatureNoIowait) != 0) enter_flags_ |= kEnterNoIowait;
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;
  watch_event();
  return 0;
}

void Ring::look_what_is_supported() noexcept {
  io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return;
  for (unsigned i = 0; i < 256; ++i) {
    supported_[i] = io_uring_opcode_supported(probe, static_cast<int>(i)) != 0;
  }
  io_uring_free_probe(probe);
}

std::int32_t Ring::provide(void* ring, unsigned entries, std::uint16_t group) noexcept {
  if (!multishot()) return -ENOSYS;
  io_uring_buf_reg registration;
  std::memset(&registration, 0, sizeof registration);
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
  registration.ring_entries = entries;
  registration.bgid = group;
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

std::unique_ptr<Driver> make_ring(Hub& hub, int event) {
  auto ring = std::make_unique<Ring>(hub, event);
  if (ring->make() != 0) return nullptr;
  return ring;
}

std::int32_t try_to_lock(void* memory, std::size_t size) noexcept {
  if (!ring_usable()) return 0;
  io_uring ring;
  int error = io_uring_queue_init(2, &ring, 0);
  if (error != 0) return error == -ENOMEM ? error : 0;  // newer kernels count a ring's own memory, too
  const iovec all{.iov_base = memory, .iov_len = size};
  error = io_uring_register_buffers(&ring, &all, 1);
  // At once; the end of a ring may come later.
  if (error == 0) io_uring_unregister_buffers(&ring);
  io_uring_queue_exit(&ring);
  return error;
}

bool ring_usable() noexcept {
  static const bool usable = [] {
    const char* const wish = std::getenv("WEFT_IO");
    if (wish != nullptr && std::strcmp(wish, "epoll") == 0) return false;
    io_uring ring;
    if (io_uring_queue_init(2, &ring, 0) != 0) return false;
    const bool good = (ring.features & IORING_FEAT_NODROP) != 0 &&
                      (ring.features & IORING_FEAT_EXT_ARG) != 0;
    io_uring_queue_exit(&ring);
    return good;
  }();
  return usable;
}

}  // namespace weft::io::detail
