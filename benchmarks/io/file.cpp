// SPDX-License-Identifier: MIT OR Apache-2.0
// Random reads of 4 KiB: a task per read in flight.
#include <weft/io.hpp>
#include <weft/weft.hpp>

#include "runtime.hpp"

namespace {

using bench::io::Reader;

weft::Task<> read_blocks(Reader& reader) {
  const weft::io::BorrowedFd file = weft::io::borrow(reader.file());
  while (reader.next()) {
    reader.got((co_await weft::io::read(file, reader.buffer(), reader.offset())).value());
  }
}

void read_all(std::span<Reader> readers, const bench::Options& options) {
  weft::Threadpool pool(options.workers);
  pool.run(weft::sync_scope([readers]() -> weft::Task<> {
    for (Reader& reader : readers) weft::spawn_detached(read_blocks(reader));
    co_return;
  }));
}

}  // namespace

int main(int argc, char** argv) {
  return bench::io::run(
      {.name = "weft (" + std::string(weft::io::backend()) + ")", .read = read_all}, "io_file",
      argc, argv);
}
