// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reading and writing of pipes and files; poll, nop, raw; results.

#include <weft/weft.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/uio.h>

#include <cstring>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
using weft::test::text;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_SUITE(io_data)

BOOST_AUTO_TEST_CASE(backend_is_the_one_asked_for) {
  const char* const expected = std::getenv("WEFT_TEST_BACKEND");
  BOOST_TEST_MESSAGE("backend: " << io::backend());
  BOOST_TEST((io::backend() == "io_uring" || io::backend() == "epoll"));
  if (expected != nullptr) BOOST_TEST(io::backend() == expected);
}

BOOST_AUTO_TEST_CASE(results) {
  io::Result<int> good = 7;
  BOOST_TEST(good.has_value());
  BOOST_TEST(good.value() == 7);
  BOOST_TEST(*good == 7);
  BOOST_TEST(!good.error());
  io::Result<int> bad = std::errc::timed_out;
  BOOST_TEST(!bad);
  BOOST_TEST(bad.value_or(3) == 3);
  BOOST_TEST((bad.error() == std::errc::timed_out));
  BOOST_CHECK_THROW(bad.value(), std::system_error);
  BOOST_CHECK_THROW(io::Result<void>(std::errc::timed_out).value(), std::system_error);
  io::Result<void>().value();
  io::Result<io::Fd> moved = io::Fd(::dup(0));
  io::Fd fd = std::move(moved).value();
  BOOST_TEST(fd.valid());
  const int number = fd.release();
  BOOST_TEST(!fd.valid());
  ::close(number);
}

WEFT_IO_TEST_EACH_WORKERS(a_reader_waits_for_its_writer) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  const std::size_t n = pool.run([&]() -> Task<std::size_t> {
    std::array<std::byte, 16> buffer{};
    Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
      co_return (co_await io::read(pipe.first, buffer)).value();
    });
    (co_await io::write(pipe.second, bytes("hello"))).value();
    const std::size_t got = co_await std::move(reader);
    BOOST_TEST(text(buffer, got) == "hello");
    co_return got;
  });
  BOOST_TEST(n == 5u);
}

WEFT_IO_TEST_EACH_WORKERS(all_of_a_large_buffer_through_a_small_pipe) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::vector<std::byte> out(1'000'000);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(i * 7 % 251);
  std::vector<std::byte> in(out.size() + 100);
  pool.run([&]() -> Task<> {
    Flowvar<> writer = weft::spawn([&]() -> Task<> {
      const std::size_t written = (co_await io::write_all(pipe.second, out)).value();
      weft::test::require(written == out.size(), "write_all");
      (co_await io::close(std::move(pipe.second))).value();
    });
    // Ends with the pipe, before the buffer is full.
    const std::size_t got = (co_await io::read_all(pipe.first, in)).value();
    BOOST_TEST(got == out.size());
    co_await std::move(writer);
  });
  BOOST_TEST(std::memcmp(in.data(), out.data(), out.size()) == 0);
}

BOOST_AUTO_TEST_CASE(descriptors_with_o_nonblock_wait_all_the_same) {
  Threadpool pool(2);
  Ends pipe = weft::test::make_pipe(O_NONBLOCK);
  std::vector<std::byte> out(300'000, std::byte{9});
  std::vector<std::byte> in(out.size());
  pool.run([&]() -> Task<> {
    Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
      co_return (co_await io::read_all(pipe.first, in)).value();
    });
    (co_await io::sleep_for(std::chrono::milliseconds(5))).value();
    BOOST_TEST((co_await io::write_all(pipe.second, out)).value() == out.size());
    BOOST_TEST(co_await std::move(reader) == out.size());
  });
  BOOST_TEST((in == out));
}

BOOST_AUTO_TEST_CASE(vectors_and_offsets) {
  Threadpool pool(2);
  const weft::test::TemporaryDirectory directory;
  pool.run([&]() -> Task<> {
    const io::Fd file = (co_await io::openat(io::borrow(AT_FDCWD), directory / "file",
                                             O_RDWR | O_CREAT, 0600)).value();
    char first[] = "abc";
    char second[] = "defgh";
    const iovec out[] = {{first, 3}, {second, 5}};
    BOOST_TEST((co_await io::writev(file, out)).value() == 8u);            // own position: 0
    BOOST_TEST((co_await io::write(file, bytes("XY"))).value() == 2u);     // and now 8
    BOOST_TEST((co_await io::write(file, bytes("Z"), 1)).value() == 1u);   // not moved by this
    BOOST_TEST((co_await io::write(file, bytes("!"))).value() == 1u);
    char left[4] = {};
    char right[20] = {};
    const iovec in[] = {{left, 4}, {right, 20}};
    BOOST_TEST((co_await io::readv(file, in, 0)).value() == 11u);
    BOOST_TEST(std::string_view(left, 4) == "aZcd");
    BOOST_TEST(std::string_view(right, 7) == "efghXY!");
    std::array<std::byte, 64> buffer;
    BOOST_TEST((co_await io::read_all(file, buffer, 2)).value() == 9u);
    BOOST_TEST((co_await io::read(file, buffer, 100)).value() == 0u);  // beyond the end
    BOOST_TEST((co_await io::write_all(file, bytes("end"), 11)).value() == 3u);
    BOOST_TEST((co_await io::read(file, buffer, 11)).value() == 3u);
  });
}

BOOST_AUTO_TEST_CASE(splice_and_tee) {
  Threadpool pool(2);
  const weft::test::TemporaryDirectory directory;
  pool.run([&]() -> Task<> {
    Ends a = weft::test::make_pipe();
    Ends b = weft::test::make_pipe();
    Ends sockets = weft::test::make_socket_pair();
    Flowvar<std::size_t> spliced = weft::spawn([&]() -> Task<std::size_t> {
      co_return (co_await io::splice(a.first, b.second, 100)).value();  // waits for something
    });
    (co_await io::write_all(a.second, bytes("through"))).value();
    BOOST_TEST(co_await std::move(spliced) == 7u);
    BOOST_TEST((co_await io::tee(b.first, a.second, 100)).value() == 7u);
    BOOST_TEST((co_await io::splice(b.first, sockets.first, 100)).value() == 7u);
    std::array<std::byte, 32> buffer;
    BOOST_TEST((co_await io::recv(sockets.second, buffer)).value() == 7u);
    BOOST_TEST(text(buffer, 7) == "through");
    const io::Fd file = (co_await io::openat(io::borrow(AT_FDCWD), directory / "file",
                                             O_RDWR | O_CREAT, 0600)).value();
    BOOST_TEST((co_await io::splice(a.first, io::kOwnPosition, file, 10, 7)).value() == 7u);
    BOOST_TEST((co_await io::read(file, buffer, 10)).value() == 7u);
    BOOST_TEST(text(buffer, 7) == "through");
  });
}

BOOST_AUTO_TEST_CASE(errors_are_results) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    std::array<std::byte, 8> buffer{};
    const auto read = co_await io::read(io::borrow(-1), buffer);
    BOOST_TEST((read.error() == std::errc::bad_file_descriptor));
    BOOST_TEST(((co_await io::recv(io::borrow(-1), buffer)).error() == std::errc::bad_file_descriptor));
    Ends pipe = weft::test::make_pipe();
    pipe.first = io::Fd();
    ::signal(SIGPIPE, SIG_IGN);  // of write to a pipe it is the program's own affair
    BOOST_TEST(((co_await io::write(pipe.second, bytes("x"))).error() == std::errc::broken_pipe));
    ::signal(SIGPIPE, SIG_DFL);
    BOOST_TEST(((co_await io::openat(io::borrow(AT_FDCWD), "/nonexistent/file", O_RDONLY)).error() ==
                std::errc::no_such_file_or_directory));
  });
}

WEFT_IO_TEST_EACH_WORKERS(poll_nop_raw) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    (co_await io::nop()).value();
    Ends pipe = weft::test::make_pipe();
    BOOST_TEST((co_await io::poll(pipe.second, POLLOUT)).value() == POLLOUT);
    Flowvar<int> waiting = weft::spawn([&]() -> Task<int> {
      co_return (co_await io::poll(pipe.first, POLLIN)).value();
    });
    (co_await io::write(pipe.second, bytes("x"))).value();
    BOOST_TEST((co_await std::move(waiting) & POLLIN) != 0);
    pipe.second = io::Fd();
    std::array<std::byte, 8> buffer;
    (co_await io::read(pipe.first, buffer)).value();
    BOOST_TEST(((co_await io::poll(pipe.first, POLLIN)).value() & POLLHUP) != 0);
    const auto raw = co_await io::raw([&](io_uring_sqe& sqe) {
      sqe.opcode = IORING_OP_READ;
      sqe.fd = pipe.first.get();
      sqe.addr = reinterpret_cast<std::uintptr_t>(buffer.data());
      sqe.len = 8;
    });
    BOOST_TEST(raw.value() == 0);
  });
}

// Many readers and writers of one pipe, and of one descriptor at once.
WEFT_IO_TEST_EACH_WORKERS(many_wait_for_one_descriptor) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    std::vector<Flowvar<std::size_t>> readers;
    for (int i = 0; i < 100; ++i) {
      readers.push_back(weft::spawn([&]() -> Task<std::size_t> {
        std::array<std::byte, 1> one;
        co_return (co_await io::read(pipe.first, one)).value();
      }));
    }
    for (int i = 0; i < 100; ++i) (co_await io::write(pipe.second, bytes("x"))).value();
    std::size_t sum = 0;
    for (auto& reader : readers) sum += co_await std::move(reader);
    BOOST_TEST(sum == 100u);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
