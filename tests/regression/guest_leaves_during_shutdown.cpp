// SPDX-License-Identifier: MIT OR Apache-2.0
//
// An outside thread whose task had blocked came back as another worker than the caller's, and handed it to
// a thread of the pool while a second outside thread shut the pool down: that thread was never joined.

#include <weft/weft.hpp>

#include <stdexcept>
#include <thread>

#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Threadpool;

namespace {

BOOST_AUTO_TEST_CASE(guest_leaves_during_shutdown) {
  Threadpool other({.num_threads = 1, .caller_participates = false});
  for (int round = 0; round < (weft::test::kSanitized ? 200 : 2000); ++round) {
    Threadpool pool(2);
    weft::test::Signal running;
    std::jthread guest([&] {
      try {
        pool.run([&] {
          running.raise();
          for (int i = 0; i < 3; ++i) other.run([] {});
        });
      } catch (const std::logic_error&) {  // came too late
        running.raise();
      }
    });
    running.wait();
    pool.shutdown();
    guest.join();
  }
}

}  // namespace
