// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The examples' Interrupt closed its descriptor and left the signal handler, which then wrote to whatever
// had the number next.

#include <weft/weft.hpp>

#include <csignal>
#include <vector>

#include "../../docs/examples/interrupt.hpp"
#include "../support/io.hpp"

using weft::Task;
using weft::Threadpool;
namespace io = weft::io;

namespace {

bool is_readable(const io::Fd& fd) {
  pollfd one{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) != 0;
}

BOOST_AUTO_TEST_CASE(interrupt_after_its_end) {
  static volatile std::sig_atomic_t own_handler = 0;
  ::signal(SIGTERM, [](int) { own_handler = 1; });
  for (int round = 0; round < 2; ++round) {  // and it can be made again
    Interrupt interrupt;
    Threadpool pool(1);
    ::raise(SIGTERM);
    pool.run(interrupt.wait());
    BOOST_TEST(interrupt.token().stop_requested());
  }
  BOOST_TEST(own_handler == 0);
  std::vector<weft::test::Ends> others;  // one end of these has the number, if it is free
  for (int i = 0; i < 16; ++i) others.push_back(weft::test::make_socket_pair());
  ::raise(SIGTERM);
  BOOST_TEST(own_handler == 1);  // as before
  for (const auto& ends : others) {
    BOOST_TEST(!is_readable(ends.first));
    BOOST_TEST(!is_readable(ends.second));
  }
  ::signal(SIGTERM, SIG_DFL);
}

}  // namespace
