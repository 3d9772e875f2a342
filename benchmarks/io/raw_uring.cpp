// SPDX-License-Identifier: MIT OR Apache-2.0
// io_raw_uring WORKLOAD: reads and timers, and the program.
#include "raw_uring.hpp"
#include <cstdio>
#include <exception>

#include "alarm_heap.hpp"

namespace bench::io::raw_uring {

void read(std::span<Reader> readers, const Options&) {
  Ring ring;
  std::size_t open = 0;
  const auto start = [&](Reader& reader) {
    if (!reader.next()) return;
    io_uring_sqe& sqe = ring.entry();
    io_uring_prep_read(&sqe, reader.file(), reader.buffer().data(), kBlock, reader.offset());
    io_uring_sqe_set_data(&sqe, &reader);
    ++open;
  };
  for (Reader& reader : readers) start(reader);
  while (open > 0) {
    ring.turn([&](const io_uring_cqe& cqe) {
      auto& reader = *static_cast<Reader*>(io_uring_cqe_get_data(&cqe));
      reader.got(static_cast<std::size_t>(must(cqe.res, "read")));
      --open;
      start(reader);
    });
  }
}

void wait(Alarms& alarms, const Options&) {
  Ring ring;
  ring_all(alarms, [&](std::chrono::nanoseconds time) {
    __kernel_timespec timeout{time.count() / 1'000'000'000, time.count() % 1'000'000'000};
    io_uring_cqe* none = nullptr;
    const int result = io_uring_submit_and_wait_timeout(ring.get(), &none, 1, &timeout, nullptr);
    if (result != -ETIME && result != -EINTR) must(result, "io_uring_enter");
  });
}

}  // namespace bench::io::raw_uring

int main(int argc, char** argv) {
  using namespace bench::io;
  try {
    raw_uring::Ring();
  } catch (const std::exception& refused) {
    std::fprintf(stderr, "%s: %s\n", argv[0], refused.what());
    return 77;  // skipped, as Meson has it
  }
  return run_named({"io_uring by hand", raw_uring::talk, raw_uring::read, raw_uring::wait, true},
                   argc, argv);
}
