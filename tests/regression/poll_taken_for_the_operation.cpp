// SPDX-License-Identifier: MIT OR Apache-2.0
//
// On a descriptor with O_NONBLOCK the ring polls first, then does the operation. If that was cancelled
// just when the poll had its answer, the answer was taken for the operation's result: a read of one
// byte that was never read, an accepted connection with the number of standard output.

#include <weft/weft.hpp>

#include <poll.h>

#include <atomic>

#include "../support/handshake.hpp"
#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
using weft::test::Signal;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_CASE(poll_taken_for_the_operation) {
  Threadpool pool(2);  // one thread, and this one, which has no ring
  Ends pipe = weft::test::make_pipe(O_NONBLOCK);
  std::stop_source stop;
  Signal polls;
  Signal held;
  Signal go_on;
  Signal ended;
  bool was_read = false;
  pool.spawn_detached([&]() -> Task<> {
    weft::spawn_detached([&]() -> Task<> {
      for (int i = 0; i < 8; ++i) (void)co_await io::nop();  // the read is in the kernel, then its poll
      polls.raise();
    });
    std::array<std::byte, 1> one;
    const auto result = co_await io::read(pipe.first, one).stop_on(stop.get_token());
    was_read = result.has_value();
    ended.raise();
  });
  polls.wait();
  pool.spawn_detached([&] {
    held.raise();
    go_on.wait();
  });
  held.wait();
  // Now the poll gets its answer. The thread finds more to start than a submission queue holds, so it
  // enters the kernel, which gives the answer; only then it finds the stop, and then the answer.
  (void)!::write(pipe.second.get(), "x", 1);
  constexpr int kMany = 300;
  std::atomic<int> run{0};
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i <= kMany; ++i) {
        weft::spawn_detached([&]() -> Task<> {
          if (run.fetch_add(1) < kMany) {
            (void)co_await io::nop();
          } else {
            stop.request_stop();
            go_on.raise();
          }
        });
      }
      co_return;
    });
  });
  ended.wait();
  pollfd left{.fd = pipe.first.get(), .events = POLLIN, .revents = 0};
  BOOST_TEST(::poll(&left, 1, 0) == (was_read ? 0 : 1));
}

}  // namespace
