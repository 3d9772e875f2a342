// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streams that are dropped, cancelled and reset at random, with leases that end on other threads. In the
// end every byte that was to arrive has, no descriptor is left, and all buffers are back.

#include <weft/weft.hpp>

#include <netinet/in.h>

#include <atomic>
#include <thread>
#include <vector>

#include "../support/io.hpp"
#include "../support/workers.hpp"
#include "graph.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
using weft::test::Random;
namespace io = weft::io;

namespace {

int rounds(int normal) { return weft::test::kSanitized ? normal / 10 : normal; }

BOOST_AUTO_TEST_SUITE(io_stream_stress)

// Many streams on few buffers; some leases are held for a while, and end on another thread.
WEFT_IO_TEST_EACH_WORKERS(few_buffers) {
  constexpr std::size_t kStreams = 16;
  const std::size_t bytes = 10 * static_cast<std::size_t>(rounds(10'000));
  io::BufferPool buffers(3, 64);
  std::vector<Ends> sockets;
  for (std::size_t i = 0; i < kStreams; ++i) sockets.push_back(weft::test::make_socket_pair());
  Threadpool pool(workers);
  std::vector<Flowvar<std::size_t>> readers;
  for (std::size_t i = 0; i < kStreams; ++i) {
    readers.push_back(pool.spawn([&, i]() -> Task<std::size_t> {
      Random random(i + 1);
      std::size_t got = 0;
      bool closed = false;
      while (!closed) {
        // Dropped only when nothing is on its way, for then what was not taken is lost.
        auto stream = io::recv_many(sockets[i].second, buffers);
        while (auto item = co_await stream.next()) {
          io::Lease lease = std::move(*item).value();
          got += lease.size();
          closed = lease.empty();
          if (random.below(8) == 0) {
            weft::spawn_detached([held = std::move(lease)]() mutable { held.reset(); });
          }
        }
      }
      co_return got;
    }));
  }
  std::jthread sender([&] {
    Random random(77);
    std::vector<std::byte> data(200);
    std::vector<std::size_t> left(kStreams, bytes);
    for (std::size_t open = kStreams; open > 0;) {
      const std::size_t at = random.below(kStreams);
      if (left[at] == 0) continue;
      const std::size_t n = std::min<std::size_t>(left[at], 1 + random.below(200));
      weft::test::require(::send(sockets[at].first.get(), data.data(), n, MSG_NOSIGNAL) ==
                              static_cast<ssize_t>(n),
                          "send");
      left[at] -= n;
      if (left[at] == 0) {
        sockets[at].first = io::Fd();
        --open;
      }
    }
  });
  for (auto& reader : readers) BOOST_TEST(pool.sync(std::move(reader)) == bytes);
}

// Streams end in every way while connections and data keep coming.
WEFT_IO_TEST_EACH_WORKERS(ends_at_random) {
  const auto before = weft::test::open_descriptors();
  {
    const io::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0);
    BOOST_REQUIRE(::listen(listener.get(), 64) == 0);
    const std::uint16_t port = io::local_port(listener).value();
    io::BufferPool buffers(8, 32);
    Threadpool pool(workers);
    std::atomic<bool> stop{false};
    std::atomic<int> connected{0};
    Flowvar<> clients = pool.spawn([&]() -> Task<> {
      Random random(5);
      const std::array<std::byte, 100> data{};
      while (!stop.load()) {
        auto socket = co_await io::connect_tcp("127.0.0.1", port).timeout(1s);
        if (!socket) continue;
        connected += 1;
        (void)co_await io::send(*socket, std::span(data).first(random.below(100)));
        if (random.below(2) == 0) {
          const linger now{.l_onoff = 1, .l_linger = 0};
          (void)::setsockopt(socket->get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
      }
    });
    const int n = rounds(1000);
    std::vector<Flowvar<>> servers;
    for (std::uint64_t t = 0; t < 4; ++t) {
      servers.push_back(pool.spawn([&, t]() -> Task<> {
        Random random(t + 10);
        for (int i = 0; i < n; ++i) {
          std::stop_source source;
          auto connections = io::accept_many(listener).stop_on(source.get_token());
          for (std::uint64_t k = random.below(4); k > 0; --k) {
            auto connection = co_await connections.next().timeout(5ms);
            if (!connection || !*connection) continue;
            auto data = io::recv_many(**connection, buffers);
            for (std::uint64_t m = random.below(4); m > 0; --m) {
              auto item = co_await data.next().timeout(5ms);
              if (!item) break;
            }
            if (random.below(4) == 0) data.cancel();
          }
          if (random.below(3) == 0) source.request_stop();
          if (random.below(3) == 0) connections.cancel();
        }
      }));
    }
    for (auto& server : servers) pool.sync(std::move(server));
    stop.store(true);
    pool.sync(std::move(clients));
    BOOST_TEST(connected.load() > 0);
    // All buffers are back.
    pool.run([&]() -> Task<> {
      Ends sockets = weft::test::make_socket_pair();
      const std::vector<std::byte> data(8 * 32);
      (void)co_await io::send_all(sockets.first, data);
      auto stream = io::recv_many(sockets.second, buffers);
      std::vector<io::Lease> leases;
      for (int i = 0; i < 8; ++i) leases.push_back(std::move(*co_await stream.next()).value());
    });
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
