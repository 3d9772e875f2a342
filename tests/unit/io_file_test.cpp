// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Files and directories.

#include <weft/weft.hpp>

#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_SUITE(io_file)

BOOST_AUTO_TEST_CASE(the_life_of_a_file) {
  Threadpool pool(2);
  const weft::test::TemporaryDirectory temporary;
  pool.run([&]() -> Task<> {
    const io::Fd top = (co_await io::openat(io::borrow(AT_FDCWD), temporary.string(),
                                            O_RDONLY | O_DIRECTORY)).value();
    (co_await io::mkdirat(top, "sub", 0700)).value();
    BOOST_TEST(((co_await io::mkdirat(top, "sub")).error() == std::errc::file_exists));
    io::Fd file = (co_await io::openat(top, "sub/a", O_RDWR | O_CREAT | O_EXCL, 0640)).value();
    BOOST_TEST((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
    BOOST_TEST((co_await io::write_all(file, bytes("content"))).value() == 7u);
    (co_await io::fdatasync(file)).value();
    (co_await io::fallocate(file, 0, 0, 10'000)).value();
    (co_await io::fsync(file)).value();
    const int number = file.get();
    (co_await io::close(std::move(file))).value();
    BOOST_TEST(::fcntl(number, F_GETFD) == -1);
    (co_await io::renameat(top, "sub/a", top, "b")).value();
    const struct ::statx stat = (co_await io::statx(top, "b")).value();
    BOOST_TEST(stat.stx_size == 10'000u);
    BOOST_TEST((stat.stx_mode & 0777) == 0640);
    BOOST_TEST(((co_await io::statx(top, "sub/a")).error() == std::errc::no_such_file_or_directory));
    (co_await io::unlinkat(top, "b")).value();
    (co_await io::unlinkat(top, "sub", AT_REMOVEDIR)).value();
    BOOST_TEST(std::filesystem::is_empty(temporary.string()));
  });
}

// More at once than helper threads, or than a ring takes in one go.
WEFT_IO_TEST_EACH_WORKERS(many_files_at_once) {
  Threadpool pool(workers);
  const weft::test::TemporaryDirectory temporary;
  constexpr std::size_t kFiles = 500;
  const std::size_t sum = pool.run([&]() -> Task<std::size_t> {
    std::vector<Flowvar<std::size_t>> all;
    for (std::size_t i = 0; i < kFiles; ++i) {
      all.push_back(weft::spawn([](std::string path) -> Task<std::size_t> {
        const io::Fd file = (co_await io::openat(io::borrow(AT_FDCWD), path, O_RDWR | O_CREAT,
                                                 0600)).value();
        std::size_t n = (co_await io::write_all(file, bytes(path), 0)).value();
        std::vector<std::byte> back(n);
        n -= (co_await io::read_all(file, back, 0)).value();
        co_return n == 0 && weft::test::text(back, back.size()) == path ? 1 : 0;
      }, temporary / std::to_string(i).c_str()));
    }
    std::size_t good = 0;
    for (auto& one : all) good += co_await std::move(one);
    co_return good;
  });
  BOOST_TEST(sum == kFiles);
}

// An operation may be made here and awaited there.
BOOST_AUTO_TEST_CASE(operations_move_until_they_are_awaited) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    auto stat = io::statx(io::borrow(AT_FDCWD), "/");
    auto moved = std::move(stat).timeout(std::chrono::hours(1));
    auto again = std::move(moved);
    BOOST_TEST((co_await again).has_value());
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
