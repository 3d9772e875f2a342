// SPDX-License-Identifier: MIT OR Apache-2.0
//
// io::link: operations one after the other, and where that stops.

#include <weft/weft.hpp>

#include <fcntl.h>

#include <string>
#include <tuple>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
using weft::test::text;
namespace io = weft::io;

namespace {

bool cancelled(std::error_code error) { return error == std::errc::operation_canceled; }

BOOST_AUTO_TEST_SUITE(io_link)

WEFT_IO_TEST_EACH_WORKERS(in_order) {
  Threadpool pool(workers);
  const weft::test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  pool.run([&]() -> Task<> {
    const io::Fd file =
        (co_await io::openat(io::borrow(AT_FDCWD), path.c_str(), O_RDWR | O_CREAT, 0600)).value();
    for (int i = 0; i < 50; ++i) {
      std::array<std::byte, 6> in{};
      const auto [one, two, synced, back] =
          co_await io::link(io::write(file, bytes("abc"), 0), io::write(file, bytes("def"), 3),
                            io::fsync(file), io::read(file, in, 0));
      BOOST_REQUIRE(one.value() == 3u);
      BOOST_REQUIRE(two.value() == 3u);
      BOOST_REQUIRE(!synced.error());
      BOOST_REQUIRE(back.value() == 6u);
      BOOST_REQUIRE(text(in, 6) == "abcdef");
    }
  });
}

WEFT_IO_TEST_EACH_WORKERS(stops_at_an_error) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    const auto [good, bad, no, nor] =
        co_await io::link(io::write(pipe.second, bytes("x")), io::write(io::borrow(-1), bytes("x")),
                          io::write(pipe.second, bytes("y")), io::nop());
    BOOST_TEST(good.value() == 1u);
    BOOST_TEST((bad.error() == std::errc::bad_file_descriptor));
    BOOST_TEST(cancelled(no.error()));
    BOOST_TEST(cancelled(nor.error()));
    std::array<std::byte, 4> in{};
    BOOST_TEST((co_await io::read(pipe.first, in)).value() == 1u);
  });
}

WEFT_IO_TEST_EACH_WORKERS(stops_at_a_short_read) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    std::array<std::byte, 8> in{};
    const auto [wrote, read, no] = co_await io::link(
        io::write(pipe.second, bytes("abc")), io::read(pipe.first, in), io::nop());
    BOOST_TEST(wrote.value() == 3u);
    BOOST_TEST(read.value() == 3u);
    BOOST_TEST(cancelled(no.error()));
    // A receive may be short.
    Ends sockets = weft::test::make_socket_pair();
    const auto [sent, received, yes] = co_await io::link(
        io::send(sockets.first, bytes("abc")), io::recv(sockets.second, in), io::nop());
    BOOST_TEST(sent.value() == 3u);
    BOOST_TEST(received.value() == 3u);
    BOOST_TEST(!yes.error());
    // Or not, as asked: with more than half, or nothing.
    BOOST_TEST((co_await io::send(sockets.first, bytes("abcde"))).value() == 5u);
    sockets.first = io::Fd();
    const auto [part, nor] =
        co_await io::link(io::recv(sockets.second, in, MSG_WAITALL), io::nop());
    BOOST_TEST(part.value() == 5u);
    BOOST_TEST(cancelled(nor.error()));
    const auto [nothing, neither] =
        co_await io::link(io::recv(sockets.second, in, MSG_WAITALL), io::nop());
    BOOST_TEST(nothing.value() == 0u);
    BOOST_TEST(cancelled(neither.error()));
  });
}

// What the kernel cannot link as it is.
WEFT_IO_TEST_EACH_WORKERS(of_any_kind) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair(SOCK_NONBLOCK);
    std::array<std::byte, 6> in{};
    std::vector<std::byte> large(1'000'000);
    Flowvar<std::size_t> other = weft::spawn([&]() -> Task<std::size_t> {
      std::vector<std::byte> all(large.size());
      co_return (co_await io::read_all(sockets.second, all)).value();
    });
    auto lvalue = io::nop();
    const auto [slept, sent, nothing] = co_await io::link(
        io::sleep_for(1ms), io::write_all(sockets.first, large).timeout(1h), lvalue);
    BOOST_TEST(!slept.error());
    BOOST_TEST(sent.value() == large.size());
    BOOST_TEST(!nothing.error());
    BOOST_TEST(co_await std::move(other) == large.size());
    // O_NONBLOCK: the kernel does not wait, and breaks the chain off.
    Flowvar<> writer = weft::spawn([&]() -> Task<> {
      (co_await io::sleep_for(2ms)).value();
      (co_await io::write(sockets.second, bytes("abcdef"))).value();
    });
    const auto [read, answered] = co_await io::link(
        io::read(sockets.first, in), io::write(sockets.first, bytes("yes")));
    BOOST_TEST(read.value() == 6u);
    BOOST_TEST(answered.value() == 3u);
    co_await std::move(writer);
    // A limit of one part.
    const auto [late, never] =
        co_await io::link(io::read(sockets.first, in).timeout(1ms), io::nop());
    BOOST_TEST((late.error() == std::errc::timed_out));
    BOOST_TEST(cancelled(never.error()));
  });
}

WEFT_IO_TEST_EACH_WORKERS(limits_of_all) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    std::array<std::byte, 1> in{};
    for (int i = 0; i < 20; ++i) {
      const auto [done, late, never] =
          co_await io::link(io::nop(), io::read(pipe.first, in), io::nop()).timeout(500us);
      BOOST_REQUIRE(!done.error());
      BOOST_REQUIRE((late.error() == std::errc::timed_out));
      BOOST_REQUIRE(cancelled(never.error()));
      std::stop_source stop;
      Flowvar<> stopper = weft::spawn([&]() -> Task<> {
        if (i % 2 == 0) (void)co_await io::nop();
        stop.request_stop();
      });
      const auto [stopped, nor] = co_await io::link(io::read(pipe.first, in), io::nop())
                                      .stop_on(stop.get_token());
      BOOST_REQUIRE(cancelled(stopped.error()));
      BOOST_REQUIRE(cancelled(nor.error()));
      co_await std::move(stopper);
      const auto [not_begun] = co_await io::link(io::nop()).stop_on(stop.get_token());
      BOOST_REQUIRE(cancelled(not_begun.error()));
    }
  });
}

WEFT_IO_TEST_EACH_WORKERS(cancelled_with_its_task) {
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> ended{0};
  {
    Threadpool pool(workers);
    const auto wait = [&]() -> Task<> {
      std::array<std::byte, 1> in{};
      const auto [read, sleep] =
          co_await io::link(io::read(pipe.first, in), io::sleep_for(1h));
      weft::test::require(cancelled(read.error()) && cancelled(sleep.error()), "cancelled");
      const auto [first, second] = co_await io::link(io::read(pipe.first, in), io::nop());
      weft::test::require(cancelled(first.error()) && cancelled(second.error()), "cancelled");
      ended += 1;
    };
    { Flowvar<> dropped = pool.spawn(wait); }
    for (int i = 0; i < 10; ++i) pool.spawn_detached(wait);
  }
  BOOST_TEST(ended.load() == 11);
}

// More chains than the submission queue takes.
WEFT_IO_TEST_EACH_WORKERS(many_at_once) {
  Threadpool pool(workers);
  const int n = weft::test::kSanitized ? 500 : 5000;
  std::atomic<int> good{0};
  const weft::test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  pool.run([&]() -> Task<> {
    const io::Fd file =
        (co_await io::openat(io::borrow(AT_FDCWD), path.c_str(), O_RDWR | O_CREAT, 0600)).value();
    co_await weft::sync_scope([&]() -> Task<> {
      for (int i = 0; i < n; ++i) {
        weft::spawn_detached([&, at = static_cast<std::uint64_t>(i) * 4]() -> Task<> {
          std::array<std::byte, 4> in{};
          const auto all = co_await io::link(io::nop(), io::write(file, bytes("abcd"), at),
                                             io::read(file, in, at));
          if (std::get<2>(all).value() == 4 && text(in, 4) == "abcd") good += 1;
        });
      }
      co_return;
    });
  });
  BOOST_TEST(good.load() == n);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
