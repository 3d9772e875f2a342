// SPDX-License-Identifier: MIT OR Apache-2.0
//
// reactor: a program that has an io_uring of its own, and tasks that use the same one.
#include <weft/weft.hpp>

#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <iostream>
#include <span>
#include <string_view>

namespace {

/// Copies from one pipe to another on the program's ring.
weft::Task<> copy(int from, int to, weft::io::Reactor& reactor) {
  std::array<std::byte, 64> buffer;
  for (;;) {
    const std::size_t n =
        (co_await weft::io::read(weft::io::borrow(from), buffer).on(reactor)).value();
    if (n == 0) co_return;
    (co_await weft::io::write_all(weft::io::borrow(to), std::span(buffer).first(n)).on(reactor))
        .value();
  }
}

}  // namespace

int main() {
  io_uring ring;
  if (io_uring_queue_init(32, &ring, 0) != 0) {
    std::cerr << "no io_uring here\n";
    return 77;
  }
  int in[2];
  int out[2];
  if (::pipe(in) != 0 || ::pipe(out) != 0) return 1;
  const std::string_view text = "hello from a task\n";
  {
    weft::Threadpool pool;
    weft::io::Reactor reactor{ring};
    weft::Flowvar<> copying = pool.spawn(copy(in[0], out[1], reactor));

    // The program's own requests, with its own idea of user_data.
    constexpr std::uint64_t kWritten = 1;
    constexpr std::uint64_t kPoolRang = 2;
    const auto watch_pool = [&] {  // tells when a task has ended
      io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
      io_uring_prep_poll_add(sqe, pool.wait_fd(), POLLIN);
      sqe->user_data = kPoolRang;
    };
    watch_pool();
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, in[1], text.data(), static_cast<unsigned>(text.size()), 0);
    sqe->user_data = kWritten;

    while (!copying.is_ready()) {
      reactor.submit();
      io_uring_cqe* cqe = nullptr;
      if (io_uring_wait_cqe(&ring, &cqe) != 0) continue;
      if (reactor.dispatch(*cqe)) {
        // A task goes on.
      } else if (cqe->user_data == kWritten) {
        ::close(in[1]);
      } else if (cqe->user_data == kPoolRang) {
        pool.run_once();
        watch_pool();
      }
      io_uring_cqe_seen(&ring, cqe);
    }
    pool.sync(std::move(copying));
  }
  std::array<char, 64> got;
  const ssize_t n = ::read(out[0], got.data(), got.size());
  std::cout << std::string_view(got.data(), static_cast<std::size_t>(n));
  io_uring_queue_exit(&ring);
}
