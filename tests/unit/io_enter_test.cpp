// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The kernel refuses to enter the ring, for now: no memory (EAGAIN), completions to be reaped first (EBUSY),
// a signal (EINTR). It stands in for libc's syscall(), through which the library makes that call.

#include <weft/weft.hpp>

#include <dlfcn.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
namespace io = weft::io;

namespace {

std::atomic<bool> refuses{false};
std::atomic<unsigned> entries{0};
std::atomic<int> refused{0};
std::atomic<unsigned> flags_of_all{~0u};

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  long a[6];
  for (long& one : a) one = va_arg(list, long);
  va_end(list);
  if (number == SYS_io_uring_enter) {
    flags_of_all.fetch_and(static_cast<unsigned>(a[3]));
    constexpr int kErrors[] = {0, EAGAIN, 0, EBUSY, EBUSY, 0, EINTR, 0};
    const int error = kErrors[entries.fetch_add(1) % 8];
    if (error != 0 && refuses.load()) {
      refused.fetch_add(1);
      errno = error;
      return -1;
    }
  }
  using Function = long (*)(long, ...);
  static const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "syscall"));
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

namespace {

WEFT_IO_TEST_EACH_WORKERS(the_kernel_refuses_at_times) {
  Threadpool pool(workers);
  constexpr int kPairs = 20;
  constexpr int kRounds = 200;
  std::vector<Ends> pairs;
  for (int i = 0; i < kPairs; ++i) pairs.push_back(weft::test::make_socket_pair());
  std::atomic<int> heard{0};
  const auto talk = [&](const io::Fd& socket, bool first) -> Task<> {
    std::array<std::byte, 1> one{};
    for (int i = 0; i < kRounds; ++i) {
      if (first || i != 0) (co_await io::send_all(socket, one)).value();
      heard += static_cast<int>((co_await io::recv(socket, one).timeout(1h)).value());
    }
    if (!first) (co_await io::send_all(socket, one)).value();
  };
  refuses = true;
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      for (const Ends& pair : pairs) {
        weft::spawn_detached(talk(pair.first, true));
        weft::spawn_detached(talk(pair.second, false));
      }
      // More than the submission queue takes.
      for (int i = 0; i < 1000; ++i) {
        weft::spawn_detached([]() -> Task<> { (co_await io::nop()).value(); });
      }
      // And cancellations.
      for (int i = 0; i < 100; ++i) {
        std::array<std::byte, 1> one{};
        Ends silent = weft::test::make_socket_pair();
        BOOST_TEST(((co_await io::recv(silent.first, one).timeout(10us)).error() ==
                    std::errc::timed_out));
      }
    });
  });
  refuses = false;
  BOOST_TEST(heard.load() == 2 * kPairs * kRounds);
  if (io::backend() == "io_uring") BOOST_TEST(refused.exchange(0) > 0);
}

// Where the kernel can tell a thread that waits for events from one that waits for a disk, it is told to
// (Linux 6.15, newer than liburing's header here).
BOOST_AUTO_TEST_CASE(no_false_iowait) {
  constexpr unsigned kFeatureNoIowait = 1u << 17, kEnterNoIowait = 1u << 7;
  io_uring_params params{};
  const long ring = ::syscall(SYS_io_uring_setup, 2, &params);
  if (ring < 0) return;  // refused here
  ::close(static_cast<int>(ring));
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  pool.run([]() -> Task<> { (co_await io::sleep_for(1ms)).value(); });
  const bool can = (params.features & kFeatureNoIowait) != 0;
  BOOST_TEST_MESSAGE("the kernel can: " << can);
  if (io::backend() != "io_uring") return;
  BOOST_TEST(entries.load() > 0u);
  BOOST_TEST(((flags_of_all.load() & kEnterNoIowait) != 0) == can);
}

}  // namespace
