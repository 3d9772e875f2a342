// SPDX-License-Identifier: MIT OR Apache-2.0
// How weft holds a conversation: each side is a pool, each end of a connection a task.
#pragma once

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime.hpp"

namespace bench::io {

/// One operation for each message.
inline weft::Task<> converse(Speaker& speaker) {
  const weft::io::BorrowedFd in = weft::io::borrow(speaker.in());
  const weft::io::BorrowedFd out = weft::io::borrow(speaker.out());
  for (auto words = speaker.begin(); !speaker.done();) {
    std::size_t heard = 0;
    if (speaker.is_socket()) {
      if (!words.empty()) (co_await weft::io::send_all(out, words)).value();
      heard = (co_await weft::io::recv(in, speaker.room())).value();
    } else {
      if (!words.empty()) (co_await weft::io::write_all(out, words)).value();
      heard = (co_await weft::io::read(in, speaker.room())).value();
    }
    words = speaker.hear(heard);
  }
  speaker.hang_up();
}

/// A stream of messages, in buffers of the pool.
inline weft::Task<> converse(Speaker& speaker, weft::io::BufferPool& buffers) {
  const weft::io::BorrowedFd socket = weft::io::borrow(speaker.in());
  auto messages = weft::io::recv_many(socket, buffers);
  for (auto words = speaker.begin(); !speaker.done();) {
    if (!words.empty()) (co_await weft::io::send_all(socket, words)).value();
    auto item = co_await messages.next();
    const weft::io::Lease message = std::move(item).value().value();
    std::ranges::copy(message.bytes(), speaker.room().begin());
    words = speaker.hear(message.size());
  }
  speaker.hang_up();
}

inline void converse_on(weft::Threadpool& pool, std::span<Speaker> ends, const Options& options) {
  std::optional<weft::io::BufferPool> buffers;
  if (ends.front().is_socket() && options["multishot"] != 0) buffers.emplace(ends.size() + 1, 256);
  pool.run(weft::sync_scope([&]() -> weft::Task<> {
    for (Speaker& end : ends) {
      weft::spawn_detached(buffers ? converse(end, *buffers) : converse(end));
    }
    co_return;
  }));
}

inline void converse_all(std::span<Speaker> ends, const Options& options) {
  weft::Threadpool pool(options.workers);
  converse_on(pool, ends, options);
}

}  // namespace bench::io
