// SPDX-License-Identifier: MIT OR Apache-2.0
//
// recv into a buffer of a pool: one at a time, and none held while nothing comes.

#include <weft/weft.hpp>

#include <netinet/in.h>

#include <atomic>
#include <optional>
#include <thread>
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

void put(const io::Fd& fd, std::string_view what) {
  weft::test::require(::send(fd.get(), what.data(), what.size(), MSG_NOSIGNAL) ==
                          static_cast<ssize_t>(what.size()),
                      "send");
}

std::string_view text_of(const io::Lease& lease) { return text(lease.bytes(), lease.size()); }

// As many buffers as the pool has are to be had, on the thread that runs this.
Task<> require_all_back(io::BufferPool& buffers) {
  Ends sockets = weft::test::make_socket_pair();
  put(sockets.first, std::string(buffers.count() * buffers.bytes(), 'x'));
  std::vector<io::Lease> all;
  while (all.size() < buffers.count()) {
    all.push_back((co_await io::recv(sockets.second, buffers)).value());
    weft::test::require(all.back().size() == buffers.bytes(), "a full buffer");
  }
}

BOOST_AUTO_TEST_SUITE(io_receive)

WEFT_IO_TEST_EACH_WORKERS(receives_one_at_a_time) {
  Threadpool pool(workers);
  io::BufferPool buffers(4, 16);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    for (int i = 0; i < 50; ++i) {
      Flowvar<> sender = weft::spawn([&]() -> Task<> {
        (co_await io::send_all(sockets.first, bytes("0123456789abcdefEND"))).value();
      });
      std::string got;
      while (got.size() < 19) got += text_of((co_await io::recv(sockets.second, buffers)).value());
      BOOST_TEST(got == "0123456789abcdefEND");
      co_await std::move(sender);
    }
    // Something is there before it is asked for.
    put(sockets.first, "there");
    BOOST_TEST(text_of((co_await io::recv(sockets.second, buffers)).value()) == "there");
    (co_await io::shutdown(sockets.first, SHUT_WR)).value();
    for (int i = 0; i < 3; ++i) {
      const auto end = co_await io::recv(sockets.second, buffers);
      BOOST_TEST(end.value().empty());
    }
    co_await require_all_back(buffers);
  });
}

// A thousand connections wait, and hold none of two buffers.
WEFT_IO_TEST_EACH_WORKERS(who_waits_holds_no_buffer) {
  Threadpool pool(workers);
  io::BufferPool buffers(2, 8);
  const std::size_t n = weft::test::kSanitized ? 50 : 500;
  std::vector<Ends> sockets;
  for (std::size_t i = 0; i < n; ++i) sockets.push_back(weft::test::make_socket_pair(i % 2 == 0 ? 0 : SOCK_NONBLOCK));
  std::atomic<std::size_t> got{0};
  std::vector<Flowvar<>> readers;
  for (std::size_t i = 0; i < n; ++i) {
    readers.push_back(pool.spawn([&, i]() -> Task<> {
      const io::Lease lease = (co_await io::recv(sockets[i].second, buffers)).value();
      weft::test::require(text_of(lease) == "x", "the byte");
      got += 1;
    }));
  }
  pool.run([&]() -> Task<> {
    Ends busy = weft::test::make_socket_pair();
    for (int i = 0; i < 20; ++i) {
      put(busy.first, "busy");
      BOOST_TEST(text_of((co_await io::recv(busy.second, buffers)).value()) == "busy");
    }
  });
  BOOST_TEST(got.load() == 0u);
  for (const Ends& pair : sockets) put(pair.first, "x");
  for (auto& reader : readers) pool.sync(std::move(reader));
  BOOST_TEST(got.load() == n);
}

// While all are out it waits, as a stream does. On one thread, for each has buffers of its own.
BOOST_AUTO_TEST_CASE(out_of_buffers) {
  Threadpool pool(1);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(1, 4);
    Ends sockets = weft::test::make_socket_pair();
    put(sockets.first, "onesTWOsEND");
    io::Lease lease = (co_await io::recv(sockets.second, buffers)).value();
    BOOST_TEST(text_of(lease) == "ones");
    BOOST_TEST(((co_await io::recv(sockets.second, buffers).timeout(2ms)).error() == std::errc::timed_out));
    std::stop_source stop;
    Flowvar<std::error_code> stopped = weft::spawn([&]() -> Task<std::error_code> {
      co_return (co_await io::recv(sockets.second, buffers).stop_on(stop.get_token())).error();
    });
    (void)co_await io::nop();
    stop.request_stop();
    BOOST_TEST((co_await std::move(stopped) == std::errc::operation_canceled));
    std::thread other([held = std::move(lease)]() mutable { held.reset(); });
    lease = (co_await io::recv(sockets.second, buffers)).value();
    other.join();
    BOOST_TEST(text_of(lease) == "TWOs");
    lease.reset();
    BOOST_TEST(text_of((co_await io::recv(sockets.second, buffers)).value()) == "END");
    co_await require_all_back(buffers);
  });
}

// Streams and single receives, all for one buffer.
WEFT_IO_TEST_EACH_WORKERS(beside_streams) {
  Threadpool pool(workers);
  constexpr std::size_t kBytes = 1000;
  io::BufferPool buffers(1, 16);
  std::vector<Ends> sockets;
  for (int i = 0; i < 6; ++i) sockets.push_back(weft::test::make_socket_pair());
  std::vector<Flowvar<std::size_t>> readers;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    readers.push_back(pool.spawn([&, i]() -> Task<std::size_t> {
      std::size_t sum = 0;
      if (i % 2 == 0) {
        for (std::size_t n = 1; n != 0; sum += n) {
          n = (co_await io::recv(sockets[i].second, buffers)).value().size();
        }
      } else {
        auto stream = io::recv_many(sockets[i].second, buffers);
        while (auto item = co_await stream.next()) sum += item->value().size();
      }
      co_return sum;
    }));
  }
  const std::string some(100, 'x');
  for (std::size_t sent = 0; sent < kBytes; sent += some.size()) {
    for (const Ends& pair : sockets) put(pair.first, some);
  }
  for (Ends& pair : sockets) pair.first = io::Fd();
  for (auto& reader : readers) BOOST_TEST(pool.sync(std::move(reader)) == kBytes);
}

// Cancelled while data comes: the buffer is in a lease, or back.
WEFT_IO_TEST_EACH_WORKERS(a_cancelled_one_returns_its_buffer) {
  Threadpool pool(workers);
  const int rounds = weft::test::kSanitized ? 100 : 1000;
  io::BufferPool buffers(2, 8);
  int received = 0;
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    for (int i = 0; i < rounds; ++i) {
      std::stop_source stop;
      Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
        auto result = co_await io::recv(sockets.second, buffers).stop_on(stop.get_token());
        if (!result) weft::test::require(result.error() == std::errc::operation_canceled, "the error");
        co_return result ? result->size() : 0;
      });
      Flowvar<> sender = weft::spawn([&] { put(sockets.first, "data"); });
      if (i % 3 == 0) (void)co_await io::nop();
      stop.request_stop();
      co_await std::move(sender);
      std::size_t got = co_await std::move(reader);
      received += got != 0 ? 1 : 0;
      while (got < 4) got += (co_await io::recv(sockets.second, buffers)).value().size();
      BOOST_REQUIRE(got == 4u);
    }
    co_await require_all_back(buffers);
  });
  BOOST_TEST_MESSAGE("received all the same: " << received << " of " << rounds);
}

WEFT_IO_TEST_EACH_WORKERS(cancelled_with_its_task) {
  io::BufferPool buffers(2, 8);
  Ends sockets = weft::test::make_socket_pair();
  std::atomic<int> ended{0};
  {
    Threadpool pool(workers);
    const auto wait = [&]() -> Task<> {
      const auto result = co_await io::recv(sockets.second, buffers);
      weft::test::require(result.error() == std::errc::operation_canceled, "cancelled");
      ended += 1;
    };
    for (int i = 0; i < 10; ++i) {
      Flowvar<> dropped = pool.spawn(wait);
      if (i % 2 == 0) pool.run([]() -> Task<> { (void)co_await io::nop(); });
    }
    pool.run([&]() -> Task<> { co_await require_all_back(buffers); });
    for (int i = 0; i < 10; ++i) pool.spawn_detached(wait);
  }
  BOOST_TEST(ended.load() == 20);
}

// A buffer that came back when its hub was about to go is known to the next one.
WEFT_IO_TEST_EACH_WORKERS(pools_come_and_go) {
  std::optional<io::BufferPool> buffers(std::in_place, 1, 8);
  Ends sockets = weft::test::make_socket_pair();
  for (int i = 0; i < 10; ++i) {
    Threadpool pool(workers);
    io::Lease left_over;
    for (int k = 0; k < 3; ++k) {
      pool.run([&]() -> Task<> {
        put(sockets.first, "0123");
        left_over.reset();
        left_over = (co_await io::recv(sockets.second, *buffers)).value();
        BOOST_REQUIRE(text_of(left_over) == "0123");
      });
    }
    left_over.reset();
    if (i % 3 == 0) buffers.emplace(1, 8);
  }
}

BOOST_AUTO_TEST_CASE(errors_and_flags) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(2, 100);
    BOOST_TEST(((co_await io::recv(io::borrow(-1), buffers)).error() == std::errc::bad_file_descriptor));
    Ends pipe = weft::test::make_pipe();
    BOOST_TEST(!(co_await io::recv(pipe.first, buffers, MSG_DONTWAIT)).has_value());
    Ends sockets = weft::test::make_socket_pair();
    BOOST_TEST(((co_await io::recv(sockets.second, buffers, MSG_DONTWAIT)).error() ==
                std::errc::resource_unavailable_try_again));
    put(sockets.first, "abc");
    BOOST_TEST(text_of((co_await io::recv(sockets.second, buffers, MSG_PEEK)).value()) == "abc");
    BOOST_TEST(text_of((co_await io::recv(sockets.second, buffers, MSG_WAITALL)).value()) == "abc");
    // In a chain, too.
    auto [sent, received] = co_await io::link(io::send(sockets.first, bytes("chain")),
                                              io::recv(sockets.second, buffers));
    BOOST_TEST(sent.value() == 5u);
    BOOST_TEST(text_of(received.value()) == "chain");
    received.value().reset();
    co_await require_all_back(buffers);
  });
}

BOOST_AUTO_TEST_CASE(datagrams) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(2, 100);
    const Ends sockets = weft::test::make_socket_pair(0, SOCK_DGRAM);
    for (const std::string_view message : {"one", "", "three"}) {
      put(sockets.first, message);
      const auto result = co_await io::recv(sockets.second, buffers);
      BOOST_TEST(text_of(result.value()) == message);
    }
    put(sockets.first, std::string(300, 'x'));
    {
      const auto cut_off = co_await io::recv(sockets.second, buffers, MSG_TRUNC);
      BOOST_TEST(text_of(cut_off.value()) == std::string(100, 'x'));
    }
    co_await require_all_back(buffers);
  });
}

WEFT_IO_TEST_EACH_WORKERS(a_peer_resets) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(1, 100);
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    const io::Fd server = (co_await io::accept(listener)).value();
    Flowvar<std::error_code> reader = weft::spawn([&]() -> Task<std::error_code> {
      co_return (co_await io::recv(server, buffers)).error();
    });
    (void)co_await io::nop();
    const linger now{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client = io::Fd();
    BOOST_TEST((co_await std::move(reader) == std::errc::connection_reset));
    co_await require_all_back(buffers);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
