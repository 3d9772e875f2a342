// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streams: many connections or many buffers from one operation, and what becomes of those that nobody
// takes.

#include <weft/weft.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <atomic>
#include <numeric>
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

struct Listener {
  io::Fd fd;
  std::uint16_t port = 0;
};

Listener listen() {
  io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  weft::test::require(
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
          ::listen(fd.get(), SOMAXCONN) == 0,
      "listen");
  const std::uint16_t port = io::local_port(fd).value();
  return {std::move(fd), port};
}

// Returns once the connection is in the backlog, or accepted.
io::Fd connect_to(std::uint16_t port) {
  io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  weft::test::require(
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
      "connect");
  return fd;
}

void put(const io::Fd& fd, std::string_view what) {
  weft::test::require(::send(fd.get(), what.data(), what.size(), MSG_NOSIGNAL) ==
                          static_cast<ssize_t>(what.size()),
                      "send");
}

std::string_view text_of(const io::Lease& lease) { return text(lease.bytes(), lease.size()); }

Task<std::size_t> drain(io::Fd socket, io::BufferPool& buffers) {
  std::size_t sum = 0;
  auto stream = io::recv_many(socket, buffers);
  while (auto item = co_await stream.next()) sum += item->value().size();
  co_return sum;
}

BOOST_AUTO_TEST_SUITE(io_stream)

// ---- accept_many ---------------------------------------------------------------------------

WEFT_IO_TEST_EACH_WORKERS(accepts_many) {
  Threadpool pool(workers);
  const Listener listener = listen();
  constexpr int kClients = 100;
  const int accepted = pool.run([&]() -> Task<int> {
    Flowvar<> clients = weft::spawn([&]() -> Task<> {
      for (int i = 0; i < kClients; ++i) {
        (void)(co_await io::connect_tcp("127.0.0.1", listener.port)).value();
      }
    });
    int n = 0;
    io::Stream<io::Fd> connections = io::accept_many(listener.fd);
    while (auto item = co_await connections.next()) {
      const io::Fd socket = std::move(*item).value();
      BOOST_REQUIRE((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
      if (++n == kClients) break;
    }
    co_await std::move(clients);
    co_return n;
  });
  BOOST_TEST(accepted == kClients);
}

// Dropped at once, while idle, with items that nobody took.
WEFT_IO_TEST_EACH_WORKERS(accepted_and_not_taken_is_closed) {
  const auto before = weft::test::open_descriptors();
  {
    Threadpool pool(workers);
    for (int round = 0; round < 20; ++round) {
      std::vector<io::Fd> clients;
      pool.run([&]() -> Task<> {
        const Listener listener = listen();
        for (int i = 0; i < 10; ++i) clients.push_back(connect_to(listener.port));
        auto never_awaited = io::accept_many(listener.fd);
        auto connections = io::accept_many(listener.fd);
        BOOST_REQUIRE((co_await connections.next())->value().valid());
        if (round % 2 == 0) (void)co_await io::sleep_for(100us);
        if (round % 3 == 0) {
          auto moved = std::move(connections);
          BOOST_REQUIRE((co_await moved.next())->value().valid());
        }
      });
      // The server's ends are closed: whoever reads sees it.
      for (const io::Fd& client : clients) {
        char byte = 0;
        BOOST_REQUIRE(::recv(client.get(), &byte, 1, 0) <= 0);
      }
    }
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

// As far as they are accepted, none is lost by cancelling.
WEFT_IO_TEST_EACH_WORKERS(cancel_then_take_the_rest) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    const Listener listener = listen();
    std::vector<io::Fd> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(connect_to(listener.port));
    std::stop_source stop;
    auto connections = io::accept_many(listener.fd).stop_on(stop.get_token());
    std::vector<io::Fd> servers;
    servers.push_back(std::move(*co_await connections.next()).value());
    stop.request_stop();
    std::error_code last;
    while (auto item = co_await connections.next()) {
      BOOST_REQUIRE(!last);  // the error is the last
      if (*item) servers.push_back(std::move(*item).value());
      last = item->error();
    }
    BOOST_TEST((last == std::errc::operation_canceled));
    BOOST_TEST(!(co_await connections.next()).has_value());  // still over
    while (servers.size() < clients.size()) {
      servers.push_back((co_await io::accept(listener.fd)).value());
    }
  });
}

WEFT_IO_TEST_EACH_WORKERS(waiting_has_an_end_of_its_own) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    const Listener listener = listen();
    auto connections = io::accept_many(listener.fd);
    for (int i = 0; i < 3; ++i) {
      const auto none = co_await connections.next().timeout(1ms);
      BOOST_TEST((none->error() == std::errc::timed_out));
    }
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = co_await connections.next().stop_on(stop.get_token());
    BOOST_TEST((stopped->error() == std::errc::operation_canceled));
    const io::Fd client = connect_to(listener.port);
    BOOST_TEST((co_await connections.next())->value().valid());
    // The whole stream.
    auto brief = io::accept_many(listener.fd).timeout(1ms);
    BOOST_TEST(((co_await brief.next())->error() == std::errc::timed_out));
    BOOST_TEST(!(co_await brief.next()).has_value());
    auto stopped_before = io::accept_many(listener.fd).stop_on(stop.get_token());
    BOOST_TEST(((co_await stopped_before.next())->error() == std::errc::operation_canceled));
    BOOST_TEST(!(co_await stopped_before.next()).has_value());
    auto cancelled_before = io::accept_many(listener.fd);
    cancelled_before.cancel();
    BOOST_TEST(((co_await cancelled_before.next())->error() == std::errc::operation_canceled));
    io::Stream<io::Fd> empty;
    BOOST_TEST(!(co_await empty.next()).has_value());
  });
}

// The first wait is refused before the stream has begun; then it is cancelled, and ends.
WEFT_IO_TEST_EACH_WORKERS(cancelled_before_it_begins) {
  const Listener listener = listen();
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    std::stop_source stop;
    stop.request_stop();
    auto connections = io::accept_many(listener.fd);
    const auto refused = co_await connections.next().stop_on(stop.get_token());
    BOOST_TEST((refused->error() == std::errc::operation_canceled));
    connections.cancel();
    while (const auto item = co_await connections.next()) BOOST_TEST(!item->has_value());
    auto others = io::accept_many(listener.fd);
    others.cancel();
    while (const auto item = co_await others.next()) BOOST_TEST(!item->has_value());
  });
}

BOOST_AUTO_TEST_CASE(not_a_listener) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    for (int fd : {sockets.first.get(), -1}) {
      auto connections = io::accept_many(io::borrow(fd));
      auto item = co_await connections.next();
      BOOST_TEST(item.has_value());
      BOOST_TEST(!item->has_value());
      BOOST_TEST(!(co_await connections.next()).has_value());
    }
  });
}

// No descriptor is left: that is told, is not the end, and no connection is lost.
WEFT_IO_TEST_EACH_WORKERS(out_of_descriptors) {
  Threadpool pool(workers);
  constexpr int kClients = 20;
  const Listener listener = listen();
  std::vector<io::Fd> clients;
  pool.run([&]() -> Task<> {
    (co_await io::nop()).value();  // what the pool needs is open now
    for (int i = 0; i < kClients; ++i) clients.push_back(connect_to(listener.port));
    std::vector<io::Fd> fillers;
    const weft::test::Limit small(RLIMIT_NOFILE, 400);
    for (int fd = 0; (fd = ::dup(0)) >= 0;) fillers.emplace_back(fd);
    auto connections = io::accept_many(listener.fd);
    int errors = 0;
    std::vector<io::Fd> servers;
    while (servers.size() < kClients) {
      auto item = co_await connections.next();
      if (*item) {
        servers.push_back(std::move(*item).value());
      } else {
        BOOST_REQUIRE((item->error() == std::errc::too_many_files_open));
        if (++errors == 3) fillers.clear();
      }
    }
    BOOST_TEST(errors >= 3);
  });
}

// More than it keeps ahead: the rest waits in the backlog.
BOOST_AUTO_TEST_CASE(a_slow_taker) {
  Threadpool pool(2);
  constexpr std::size_t kClients = 1000;
  const Listener listener = listen();
  std::vector<io::Fd> clients;
  std::thread connecting;
  pool.run([&]() -> Task<> {
    auto connections = io::accept_many(listener.fd);
    std::vector<io::Fd> servers;
    connecting = std::thread([&] {
      for (std::size_t i = 0; i < kClients; ++i) clients.push_back(connect_to(listener.port));
    });
    servers.push_back(std::move(*co_await connections.next()).value());
    (co_await io::sleep_for(5ms)).value();
    while (servers.size() < kClients) {
      servers.push_back(std::move(*co_await connections.next()).value());
    }
  });
  connecting.join();
  BOOST_TEST(clients.size() == kClients);
}

// Several tasks take from one stream, on whatever threads.
WEFT_IO_TEST_EACH_WORKERS(several_takers) {
  Threadpool pool(workers);
  constexpr int kClients = 200;
  const Listener listener = listen();
  BOOST_REQUIRE(::fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK) == 0);
  std::atomic<int> taken{0};
  pool.run([&]() -> Task<> {
    auto connections = io::accept_many(listener.fd);
    std::vector<Flowvar<>> takers;
    for (int i = 0; i < 4; ++i) {
      takers.push_back(weft::spawn([&]() -> Task<> {
        while (auto item = co_await connections.next()) {
          if (!*item) break;
          if (taken.fetch_add(1) + 1 == kClients) connections.cancel();
        }
      }));
    }
    for (int i = 0; i < kClients; ++i) (void)connect_to(listener.port);
    for (auto& taker : takers) co_await std::move(taker);
  });
  BOOST_TEST(taken.load() == kClients);
}

// ---- recv_many -----------------------------------------------------------------------------

WEFT_IO_TEST_EACH_WORKERS(receives_many) {
  Threadpool pool(workers);
  constexpr std::size_t kTotal = 1'000'000;
  const std::size_t received = pool.run([&]() -> Task<std::size_t> {
    io::BufferPool buffers(16, 1000);
    Ends sockets = weft::test::make_socket_pair();
    Flowvar<> sender = weft::spawn([&]() -> Task<> {
      std::vector<std::byte> all(kTotal);
      for (std::size_t i = 0; i < kTotal; ++i) all[i] = static_cast<std::byte>(i % 251);
      (co_await io::send_all(sockets.first, all)).value();
      (co_await io::shutdown(sockets.first, SHUT_WR)).value();
    });
    std::size_t at = 0;
    bool closed = false;
    auto stream = io::recv_many(sockets.second, buffers);
    while (auto item = co_await stream.next()) {
      const io::Lease lease = std::move(*item).value();
      BOOST_REQUIRE(!closed);
      closed = lease.empty();
      for (const std::byte b : lease.bytes()) {
        if (b != static_cast<std::byte>(at++ % 251)) weft::test::require(false, "the bytes");
      }
    }
    BOOST_TEST(closed);
    co_await std::move(sender);
    co_return at;
  });
  BOOST_TEST(received == kTotal);
}

// While all buffers are out nothing comes, nothing is lost, and it goes on with the first that is back,
// wherever it was given back.
WEFT_IO_TEST_EACH_WORKERS(out_of_buffers) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(2, 4);
    Ends sockets = weft::test::make_socket_pair();
    auto stream = io::recv_many(sockets.second, buffers);
    put(sockets.first, "onesTWOsthreefourFIVE");
    std::vector<io::Lease> leases;
    leases.push_back(std::move(*co_await stream.next()).value());
    leases.push_back(std::move(*co_await stream.next()).value());
    BOOST_TEST(text_of(leases[0]) == "ones");
    BOOST_TEST(text_of(leases[1]) == "TWOs");
    BOOST_TEST(((co_await stream.next().timeout(2ms))->error() == std::errc::timed_out));
    leases.erase(leases.begin());
    leases.push_back(std::move(*co_await stream.next()).value());
    BOOST_TEST(text_of(leases[1]) == "thre");
    std::thread other([gone = std::move(leases)]() mutable { gone.clear(); });
    const io::Lease fourth = std::move(*co_await stream.next()).value();
    BOOST_TEST(text_of(fourth) == "efou");
    other.join();
    io::Lease fifth = std::move(*co_await stream.next()).value();
    BOOST_TEST(text_of(fifth) == "rFIV");
    BOOST_TEST(((co_await stream.next().timeout(2ms))->error() == std::errc::timed_out));
    fifth.reset();
    BOOST_TEST(text_of((co_await stream.next())->value()) == "E");
  });
}

// Two streams compete for one buffer.
WEFT_IO_TEST_EACH_WORKERS(one_buffer_for_all) {
  Threadpool pool(workers);
  constexpr std::size_t kStreams = 8;
  constexpr std::size_t kBytes = 2000;
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(1, 16);
    std::vector<Ends> sockets;
    std::vector<Flowvar<std::size_t>> readers;
    for (std::size_t i = 0; i < kStreams; ++i) {
      sockets.push_back(weft::test::make_socket_pair());
      readers.push_back(weft::spawn(drain(std::move(sockets[i].second), buffers)));
    }
    const std::vector<std::byte> some(100);
    for (std::size_t sent = 0; sent < kBytes; sent += some.size()) {
      for (auto& pair : sockets) (co_await io::send_all(pair.first, some)).value();
    }
    sockets.clear();
    for (auto& reader : readers) BOOST_TEST(co_await std::move(reader) == kBytes);
  });
}

// What has arrived and was not taken goes back, and a stream that is dropped hurts no other.
WEFT_IO_TEST_EACH_WORKERS(dropped_with_data) {
  Threadpool pool(workers);
  io::BufferPool buffers(4, 8);
  pool.run([&]() -> Task<> {
    for (int round = 0; round < 50; ++round) {
      Ends sockets = weft::test::make_socket_pair();
      auto stream = io::recv_many(sockets.second, buffers);
      put(sockets.first, "0123456789abcdef0123456789abcdef");
      io::Lease lease = std::move(*co_await stream.next()).value();
      BOOST_REQUIRE(text_of(lease) == "01234567");
      if (round % 2 == 0) (void)co_await io::nop();
      if (round % 3 == 0) stream.cancel();
    }
    // All four are back.
    Ends sockets = weft::test::make_socket_pair();
    auto stream = io::recv_many(sockets.second, buffers);
    put(sockets.first, "0123456789abcdef0123456789abcdef");
    std::vector<io::Lease> all;
    for (int i = 0; i < 4; ++i) {
      all.push_back(std::move(*co_await stream.next()).value());
      BOOST_REQUIRE(all.back().size() == 8u);
    }
  });
}

WEFT_IO_TEST_EACH_WORKERS(cancelled_and_drained) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(8, 4);
    Ends sockets = weft::test::make_socket_pair(SOCK_NONBLOCK);
    auto stream = io::recv_many(sockets.second, buffers);
    put(sockets.first, "0123456789");
    std::string got(text_of((co_await stream.next())->value()));
    stream.cancel();
    std::error_code last;
    while (auto item = co_await stream.next()) {
      if (*item) got += text_of(item->value());
      last = item->error();
    }
    BOOST_TEST((last == std::errc::operation_canceled));
    // The rest is in the socket.
    std::array<std::byte, 16> rest;
    while (got.size() < 10) {
      const std::size_t n = (co_await io::recv(sockets.second, rest)).value();
      got += text(rest, n);
    }
    BOOST_TEST(got == "0123456789");
  });
}

WEFT_IO_TEST_EACH_WORKERS(peer_resets) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(4, 100);
    const Listener listener = listen();
    io::Fd client = connect_to(listener.port);
    const io::Fd server = (co_await io::accept(listener.fd)).value();
    auto stream = io::recv_many(server, buffers);
    put(client, "x");
    BOOST_TEST(text_of((co_await stream.next())->value()) == "x");
    const linger now{.l_onoff = 1, .l_linger = 0};
    BOOST_REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    client = io::Fd();
    const auto item = co_await stream.next();
    BOOST_TEST((item->error() == std::errc::connection_reset));
    BOOST_TEST(!(co_await stream.next()).has_value());
  });
}

BOOST_AUTO_TEST_CASE(datagrams) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(4, 100);
    const Ends sockets = weft::test::make_socket_pair(0, SOCK_DGRAM);
    auto stream = io::recv_many(sockets.second, buffers);
    for (const std::string_view message : {"one", "", "three"}) {
      put(sockets.first, message);
      BOOST_TEST(text_of((co_await stream.next())->value()) == message);
    }
  });
}

// The kernel tells the whole length of a datagram that was cut off; the rest of it is not in the buffer.
BOOST_AUTO_TEST_CASE(datagram_that_is_cut_off) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(4, 100);
    const Ends sockets = weft::test::make_socket_pair(0, SOCK_DGRAM);
    auto stream = io::recv_many(sockets.second, buffers, MSG_TRUNC);
    put(sockets.first, std::string(300, 'x'));
    BOOST_TEST(text_of((co_await stream.next())->value()) == std::string(100, 'x'));
  });
}

BOOST_AUTO_TEST_CASE(not_a_socket) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::BufferPool buffers(4, 100);
    auto stream = io::recv_many(io::borrow(-1), buffers);
    BOOST_TEST(((co_await stream.next())->error() == std::errc::bad_file_descriptor));
    BOOST_TEST(!(co_await stream.next()).has_value());
  });
  BOOST_CHECK_THROW(io::BufferPool(0, 100), std::invalid_argument);
  BOOST_CHECK_THROW(io::BufferPool(100, 0), std::invalid_argument);
  BOOST_CHECK_THROW(io::BufferPool(40'000, 1), std::invalid_argument);
}

// ---- pools ---------------------------------------------------------------------------------

// A pool of buffers outlives pools of threads, and the other way round.
WEFT_IO_TEST_EACH_WORKERS(pools_come_and_go) {
  const auto before = weft::test::open_descriptors();
  std::optional<io::BufferPool> buffers(std::in_place, 4, 8);
  io::Lease left_over;
  for (int i = 0; i < 5; ++i) {
    Threadpool pool(workers);
    for (int k = 0; k < 3; ++k) {
      pool.run([&]() -> Task<> {
        Ends sockets = weft::test::make_socket_pair();
        auto stream = io::recv_many(sockets.second, *buffers);
        put(sockets.first, "0123");
        left_over = std::move(*co_await stream.next()).value();
        BOOST_REQUIRE(text_of(left_over) == "0123");
      });
      if (k == 1) {
        left_over = io::Lease();
        buffers.emplace(4, 8);
      }
    }
  }
  left_over.reset();
  BOOST_TEST(weft::test::open_descriptors() == before);
}

// A stream whose pool is gone has what it had, and then its end.
WEFT_IO_TEST_EACH_WORKERS(stream_outlives_its_pool) {
  const auto before = weft::test::open_descriptors();
  {
    const Listener listener = listen();
    io::Stream<io::Fd> connections = io::accept_many(listener.fd);
    std::vector<io::Fd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(listener.port));
    {
      Threadpool pool(workers);
      pool.run([&]() -> Task<> {
        BOOST_REQUIRE((co_await connections.next())->value().valid());
      });
    }
    Threadpool another(workers);
    another.run([&]() -> Task<> {
      std::error_code last;
      while (auto item = co_await connections.next()) last = item->error();
      BOOST_TEST((last == std::errc::operation_canceled));
    });
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

// The pool ends while a task waits; a Flowvar is dropped whose task waits.
WEFT_IO_TEST_EACH_WORKERS(cancelled_with_its_task) {
  const Listener listener = listen();
  std::atomic<int> ended{0};
  {
    Threadpool pool(workers);
    const auto wait = [&]() -> Task<> {
      auto connections = io::accept_many(listener.fd);
      const auto item = co_await connections.next();
      weft::test::require(item->error() == std::errc::operation_canceled, "cancelled");
      ended += 1;
    };
    for (int i = 0; i < 10; ++i) {
      Flowvar<> dropped = pool.spawn(wait);
      if (i % 2 == 0) pool.run([]() -> Task<> { (void)co_await io::nop(); });
    }
    for (int i = 0; i < 10; ++i) pool.spawn_detached(wait);
  }
  BOOST_TEST(ended.load() == 20);
}

// Also one that goes on after an error, as servers do.
WEFT_IO_TEST_EACH_WORKERS(ends_with_the_pool) {
  const Listener listener = listen();
  std::atomic<int> errors{0};
  {
    io::Stream<io::Fd> connections = io::accept_many(listener.fd);
    Threadpool pool(workers);
    pool.spawn_detached([&]() -> Task<> {
      while (auto item = co_await connections.next()) errors += *item ? 0 : 1;
    });
    const io::Fd client = connect_to(listener.port);
    pool.run([]() -> Task<> { (void)co_await io::nop(); });
  }
  BOOST_TEST(errors.load() >= 1);
}

// A task of one pool awaits the stream of another.
WEFT_IO_TEST_EACH_WORKERS(stream_of_another_pool) {
  Threadpool left(workers);
  Threadpool right(workers);
  const Listener listener = listen();
  auto connections = io::accept_many(listener.fd);
  const auto take = [&]() -> Task<> {
    for (int i = 0; i < 20; ++i) {
      const io::Fd client = connect_to(listener.port);
      weft::test::require((co_await connections.next())->value().valid(), "accepted");
    }
  };
  left.run(take);
  right.run(take);
  left.run(take);
}

// An echo server as the documentation has it.
WEFT_IO_TEST_EACH_WORKERS(echo_server) {
  Threadpool pool(workers);
  io::BufferPool buffers(32, 512);
  constexpr int kClients = 30;
  constexpr int kTimes = 30;
  const Listener listener = listen();
  pool.run([&]() -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      auto connections = io::accept_many(listener.fd);
      for (int i = 0; i < kClients; ++i) {
        weft::spawn_detached([&]() -> Task<> {
          const io::Fd socket = (co_await io::connect_tcp("127.0.0.1", listener.port)).value();
          std::array<std::byte, 1300> out{};
          std::array<std::byte, 1300> in{};
          for (int k = 0; k < kTimes; ++k) {
            out[static_cast<std::size_t>(k)] = std::byte{1};
            (co_await io::send_all(socket, out)).value();
            (void)(co_await io::recv(socket, in, MSG_WAITALL)).value();
            weft::test::require(in == out, "the answer");
          }
        });
      }
      for (int i = 0; i < kClients; ++i) {
        weft::spawn_detached([&buffers](io::Fd socket) -> Task<> {
          const int on = 1;
          (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          auto data = io::recv_many(socket, buffers);
          while (auto item = co_await data.next()) {
            const io::Lease lease = std::move(*item).value();
            if (!lease.empty()) (co_await io::send_all(socket, lease.bytes())).value();
          }
        }, std::move(*co_await connections.next()).value());
      }
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
