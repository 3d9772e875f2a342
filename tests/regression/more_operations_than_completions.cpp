// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A thread had at most as many operations in flight as its completion queue holds; more waited until some
// had ended. But those may wait for one of the later ones: here thousands of reads for a write.

#include <weft/weft.hpp>

#include <vector>

#include "../support/io.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
namespace io = weft::io;

namespace {

BOOST_AUTO_TEST_CASE(more_operations_than_completions) {
  Threadpool pool({.num_threads = 1, .caller_participates = false});
  Ends pipe = weft::test::make_pipe();
  constexpr std::size_t kReaders = 6'000;
  std::size_t read = 0;
  pool.run([&]() -> Task<> {
    std::vector<Flowvar<>> readers;
    std::size_t started = 0;
    for (std::size_t i = 0; i < kReaders; ++i) {
      readers.push_back(weft::spawn([&]() -> Task<> {
        std::array<std::byte, 1> one;
        ++started;
        read += (co_await io::read(pipe.first, one)).value();
      }));
    }
    while (started != kReaders) (co_await io::sleep_for(std::chrono::milliseconds(1))).value();
    const std::vector<std::byte> bytes(kReaders);
    (co_await io::write_all(pipe.second, bytes)).value();
    for (auto& reader : readers) co_await std::move(reader);
  });
  BOOST_TEST(read == kReaders);
}

}  // namespace
