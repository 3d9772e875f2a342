// SPDX-License-Identifier: MIT OR Apache-2.0
//
// On a descriptor with O_NONBLOCK the ring polls first, then does the operation. If that was cancelled
// just when the poll had its answer, the answer was taken for the operation's result: a read of one
// byte that was never read, an accepted connection with the number of standard output.

#include <weft/weft.hpp>

#include <poll.h>

#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_CASE(poll_taken_for_the_operation) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run([]() -> Task<> {
    for (int round = 0; round < 100; ++round) {
      Ends pipe = weft::test::make_pipe(O_NONBLOCK);
      std::stop_source stop;
      bool started = false;
      bool was_read = false;
      Flowvar<> reader = weft::spawn([&]() -> Task<> {
        started = true;
        std::array<std::byte, 1> one;
        const auto result = co_await io::read(pipe.first, one).stop_on(stop.get_token());
        was_read = result.has_value();
        if (!result) BOOST_TEST((result.error() == std::errc::operation_canceled));
      });
      // One thread: the read is in the kernel, and its poll too, after a few operations.
      while (!started) (void)co_await io::nop();
      for (int i = 0; i < 4; ++i) (void)co_await io::nop();
      // What the kernel has for the thread, and the stop, are seen in the same turn.
      (void)!::write(pipe.second.get(), "x", 1);
      stop.request_stop();
      co_await std::move(reader);
      pollfd left{.fd = pipe.first.get(), .events = POLLIN, .revents = 0};
      BOOST_TEST(::poll(&left, 1, 0) == (was_read ? 0 : 1));
    }
  });
}

}  // namespace
