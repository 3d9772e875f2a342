// SPDX-License-Identifier: MIT OR Apache-2.0
// Echo of 64 bytes over TCP, served by a pool whose workers compute all the while.
#include <atomic>

#include "converse.hpp"

namespace {

weft::Task<> compute(long grain_us, const std::atomic<bool>& over) {
  bench::spin_for_us(grain_us);
  // Relaxed: one more or less does not matter.
  if (!over.load(std::memory_order_relaxed)) weft::spawn_detached(compute(grain_us, over));
  co_return;
}

void talk(std::span<bench::io::Speaker> ends, const bench::Options& options) {
  if (ends.front().is_client()) return bench::io::converse_all(ends, options);
  std::atomic<bool> over = false;
  weft::Threadpool pool(weft::Threadpool::Options{.num_threads = options.workers,
                                                  .io_thread = options["io_thread"] != 0});
  pool.run([]() -> weft::Task<> { (co_await weft::io::nop()).value(); });  // has done I/O from here on
  // Two for each worker: there is always one that waits.
  for (int i = 0; i < 2 * options.workers; ++i) {
    pool.spawn_detached(compute(options["grain"], over));
  }
  bench::io::converse_on(pool, ends, options);
  over.store(true, std::memory_order_relaxed);  // relaxed: as above
}

}  // namespace

int main(int argc, char** argv) {
  return bench::io::run({.name = "weft (" + std::string(weft::io::backend()) + ")", .talk = talk},
                        "io_busy", argc, argv);
}
