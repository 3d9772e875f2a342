// SPDX-License-Identifier: MIT OR Apache-2.0
// The workloads by hand on liburing, and the ring they share.
#pragma once

#include <liburing.h>

#include <cerrno>
#include <stdexcept>

#include "check.hpp"
#include "runtime.hpp"

namespace bench::io::raw_uring {

class Ring {
 public:
  Ring() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = 4096;
    must(io_uring_queue_init_params(512, &ring_, &params), "io_uring_setup");
    must(io_uring_register_ring_fd(&ring_), "io_uring_register_ring_fd");
  }
  ~Ring() { io_uring_queue_exit(&ring_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  io_uring* get() { return &ring_; }

  io_uring_sqe& entry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      must(io_uring_submit(&ring_), "io_uring_submit");
      sqe = io_uring_get_sqe(&ring_);
      if (sqe == nullptr) throw std::runtime_error("no room for an entry");
    }
    return *sqe;
  }

  /// Submits, waits for one completion at least, and calls `take` with each.
  void turn(const auto& take) {
    const int submitted = io_uring_submit_and_wait(&ring_, 1);
    if (submitted != -EINTR) must(submitted, "io_uring_enter");
    unsigned head = 0, count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      take(*cqe);
    }
    io_uring_cq_advance(&ring_, count);
  }

 private:
  io_uring ring_;
};

void talk(std::span<Speaker> ends, const Options& options);
void read(std::span<Reader> readers, const Options& options);
void wait(Alarms& alarms, const Options& options);

}  // namespace bench::io::raw_uring
