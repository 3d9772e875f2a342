// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Operations that end before they are done: by a token, by a dropped Flowvar, with their pool.

#include <weft/weft.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::Ends;
namespace io = weft::io;

namespace {

Task<std::error_code> read_one(const io::Fd& fd, std::stop_token stop = {}) {
  std::array<std::byte, 1> one;
  co_return (co_await io::read(fd, one).stop_on(std::move(stop))).error();
}

BOOST_AUTO_TEST_SUITE(io_cancel)

WEFT_IO_TEST_EACH_WORKERS(by_a_token) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::stop_source stop;
  // From a task, and from a thread that has nothing to do with the pool.
  for (const bool outside : {false, true}) {
    stop = std::stop_source();
    Flowvar<std::error_code> reader = pool.spawn(read_one(pipe.first, stop.get_token()));
    if (outside) {
      std::jthread([&] { stop.request_stop(); }).join();
    } else {
      pool.run([&]() -> Task<> {
        (co_await io::nop()).value();
        stop.request_stop();
      });
    }
    BOOST_TEST((pool.sync(std::move(reader)) == std::errc::operation_canceled));
  }
  // Stopped before it begins.
  BOOST_TEST((pool.run(read_one(pipe.first, stop.get_token())) == std::errc::operation_canceled));
  // Done before it is stopped.
  std::stop_source later;
  (void)!::write(pipe.second.get(), "x", 1);
  BOOST_TEST(!pool.run(read_one(pipe.first, later.get_token())));
  later.request_stop();
}

// The token of one operation, asked to stop when the next one is in its place, or nearly so.
WEFT_IO_TEST_EACH_WORKERS(never_hits_another_operation) {
  Threadpool pool(workers);
  const int rounds = weft::test::kSanitized ? 300 : 2000;
  Ends pipe = weft::test::make_pipe();
  pool.run([&]() -> Task<> {
    for (int i = 0; i < rounds; ++i) {
      std::stop_source stop;
      Flowvar<> stopper = weft::spawn([&stop] { stop.request_stop(); });
      std::array<std::byte, 1> one;
      for (int k = 0; k < 2; ++k) {
        (void)!::write(pipe.second.get(), "x", 1);
        const auto first = co_await io::read(pipe.first, one).stop_on(stop.get_token());
        if (!first) {
          BOOST_REQUIRE((first.error() == std::errc::operation_canceled));
          BOOST_REQUIRE((co_await io::read(pipe.first, one)).value() == 1u);  // not asked to stop
        }
      }
      co_await std::move(stopper);
    }
  });
}

WEFT_IO_TEST_EACH_WORKERS(every_kind) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    Ends sockets = weft::test::make_socket_pair();
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    std::array<std::byte, 8> buffer;
    char byte = 0;
    iovec vector{&byte, 1};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const auto check = [](auto result) {
      BOOST_TEST((result.error() == std::errc::timed_out));
    };
    check(co_await io::read_all(pipe.first, buffer).timeout(1ms));
    check(co_await io::readv(pipe.first, std::span(&vector, 1)).timeout(1ms));
    check(co_await io::recv(sockets.first, buffer).timeout(1ms));
    check(co_await io::recvmsg(sockets.first, message).timeout(1ms));
    check(co_await io::accept(listener).timeout(1ms));
    check(co_await io::poll(sockets.first, POLLIN).timeout(1ms));
    Ends other_pipe = weft::test::make_pipe();
    check(co_await io::splice(pipe.first, other_pipe.second, 8).timeout(1ms));
    check(co_await io::tee(pipe.first, other_pipe.second, 8).timeout(1ms));
    std::vector<std::byte> much(10'000'000);
    check(co_await io::write_all(pipe.second, much).timeout(5ms));
    check(co_await io::send_all(sockets.first, much).timeout(5ms));
  });
}

// A recv that waits for all of it, and has some.
WEFT_IO_TEST_EACH_WORKERS(what_was_received_is_reported) {
  Threadpool pool(workers);
  pool.run([&]() -> Task<> {
    Ends sockets = weft::test::make_socket_pair();
    (void)!::write(sockets.second.get(), "abc", 3);
    std::array<std::byte, 8> buffer;
    const auto some = co_await io::recv(sockets.first, buffer, MSG_WAITALL).timeout(5ms);
    BOOST_TEST(some.value_or(0u) == 3u);
    BOOST_TEST(weft::test::text(buffer, 3) == "abc");
    const auto none = co_await io::recv(sockets.first, buffer, MSG_WAITALL).timeout(1ms);
    BOOST_TEST((none.error() == std::errc::timed_out));
  });
}

// Accepts that are cancelled while a client connects: none loses the connection's descriptor.
WEFT_IO_TEST_EACH_WORKERS(a_cancelled_accept_leaks_nothing) {
  Threadpool pool(workers);
  const int rounds = weft::test::kSanitized ? 100 : 500;
  pool.run([&]() -> Task<> { (co_await io::nop()).value(); });
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const std::uint16_t port = io::local_port(listener).value();
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
      std::stop_source stop;
      Flowvar<bool> server = weft::spawn([&]() -> Task<bool> {
        co_return (co_await io::accept(listener).stop_on(stop.get_token())).has_value();
      });
      Flowvar<> client = weft::spawn([&]() -> Task<> {
        const io::Fd socket = (co_await io::connect_tcp("127.0.0.1", port)).value();
        stop.request_stop();
      });
      co_await std::move(client);
      if (co_await std::move(server)) {
        ++accepted;
      } else {
        (co_await io::accept(listener)).value();  // it is still in the queue
      }
    }
    BOOST_TEST_MESSAGE("accepted all the same: " << accepted << " of " << rounds);
  });
  const auto before = weft::test::open_descriptors();
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    for (int i = 0; i < 100; ++i) {
      BOOST_TEST(((co_await io::accept(listener).timeout(10us)).error() == std::errc::timed_out));
    }
  });
  BOOST_TEST(weft::test::open_descriptors() <= before + workers);  // a hub may have come
}

WEFT_IO_TEST_EACH_WORKERS(a_cancelled_open_or_connect_leaks_nothing) {
  Threadpool pool(workers);
  weft::test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  const auto open_here = [&] {  // what an operation below may have left
    std::ptrdiff_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the iterator's own
      const std::string target = std::filesystem::read_symlink(entry, gone);
      count += target == path || target.starts_with("socket:") ? 1 : 0;
    }
    return count;
  };
  const auto before = open_here();
  std::atomic<int> done{0};
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const std::uint16_t port = io::local_port(listener).value();
    for (int i = 0; i < 200; ++i) {
      std::stop_source stop;
      Flowvar<> open = weft::spawn([&]() -> Task<> {
        const auto file = co_await io::openat(io::borrow(AT_FDCWD), path, O_RDWR | O_CREAT, 0600)
                              .stop_on(stop.get_token());
        done += file.has_value() ? 1 : 0;
      });
      Flowvar<> connect = weft::spawn([&]() -> Task<> {
        const auto socket =
            co_await io::connect_tcp("127.0.0.1", port).stop_on(stop.get_token());
        done += socket.has_value() ? 1 : 0;
      });
      if (i % 2 == 0) (co_await io::nop()).value();  // so that some have begun
      for (int k = 0; k < i; ++k) std::this_thread::yield();
      stop.request_stop();
      co_await std::move(open);
      co_await std::move(connect);
    }
  });
  BOOST_TEST_MESSAGE("done all the same: " << done.load() << " of 400");
  BOOST_TEST(open_here() == before);
}

// A FIFO that nobody has open at the other end, a listener that accepts nobody: more of them at once than there
// are helpers. The calls in which helpers wait are interrupted, also if the program has blocked all signals; and
// the kernel finds what is on its way from a poll to one of its own threads, in the end.
WEFT_IO_TEST_EACH_WORKERS(what_waits_for_a_peer) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  weft::test::TemporaryDirectory directory;
  const std::string fifo = directory / "fifo";
  BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = directory / "socket";
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* const named = reinterpret_cast<const sockaddr*>(&address);
  const auto new_socket = [] { return io::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
  const io::Fd listener = new_socket();
  BOOST_REQUIRE(::bind(listener.get(), named, sizeof address) == 0);
  BOOST_REQUIRE(::listen(listener.get(), 0) == 0);
  const io::Fd first = new_socket();  // and the queue is full
  BOOST_REQUIRE(::connect(first.get(), named, sizeof address) == 0);

  // O_CREAT, for without it io_uring opens a FIFO as with O_NONBLOCK.
  const auto open = [&](int flags, std::stop_token stop) -> Task<std::error_code> {
    co_return (co_await io::openat(io::borrow(AT_FDCWD), fifo, flags | O_CREAT, 0600).stop_on(std::move(stop)))
        .error();
  };
  const auto connect = [&](std::stop_token stop) -> Task<std::error_code> {
    const io::Fd socket = new_socket();
    co_return (co_await io::connect(socket, named, sizeof address).stop_on(std::move(stop))).error();
  };
  {
    Threadpool pool(workers);
    for (int round = 0; round < 20; ++round) {
      std::stop_source stop;
      std::vector<Flowvar<std::error_code>> waiting;
      for (int i = 0; i < 6; ++i) {
        waiting.push_back(pool.spawn(i % 2 == 0 ? open(O_RDONLY, stop.get_token()) : connect(stop.get_token())));
      }
      if (round % 2 == 0) std::this_thread::sleep_for(1ms);  // so that some have begun
      stop.request_stop();
      for (auto& one : waiting) BOOST_TEST((pool.sync(std::move(one)) == std::errc::operation_canceled));
      pool.run([&]() -> Task<> {
        const io::Fd socket = new_socket();
        const auto connected = co_await io::connect(socket, named, sizeof address).timeout(1ms);
        BOOST_TEST((connected.error() == std::errc::timed_out));
        const auto file = co_await io::openat(io::borrow(AT_FDCWD), fifo, O_WRONLY | O_CREAT, 0600).timeout(1ms);
        BOOST_TEST((file.error() == std::errc::timed_out));
      });
      { Flowvar<std::error_code> dropped = pool.spawn(connect({})); }
      { Flowvar<std::error_code> dropped = pool.spawn(open(O_WRONLY, {})); }
    }
    // With its peer it goes on as if nothing had been.
    Flowvar<std::error_code> reader = pool.spawn(open(O_RDONLY, {}));
    BOOST_TEST(!pool.run(open(O_WRONLY, {})));
    BOOST_TEST(!pool.sync(std::move(reader)));
    for (int i = 0; i < 6; ++i) {
      pool.spawn_detached([&]() -> Task<> { (void)co_await open(O_RDONLY, {}); });
      pool.spawn_detached([&]() -> Task<> { (void)co_await connect({}); });
    }
    std::this_thread::sleep_for(1ms);
  }  // as is all that waits when the pool goes
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

WEFT_IO_TEST_EACH_WORKERS(by_dropping_the_flowvar) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> ended{0};
  // Called, spawned and awaited, sleeping; one operation after the other.
  const auto deep = [&]() -> Task<> {
    const auto inner = [&]() -> Task<> {
      BOOST_TEST((co_await read_one(pipe.first) == std::errc::operation_canceled));
      BOOST_TEST(((co_await io::sleep_for(1h)).error() == std::errc::operation_canceled));
    };
    co_await inner();
    Flowvar<> child = weft::spawn(inner());
    co_await std::move(child);
    ended.fetch_add(1);
  };
  for (int i = 0; i < 10; ++i) {
    { Flowvar<> dropped = pool.spawn(deep()); }  // by an outside thread
    BOOST_TEST(ended.load() == 2 * i + 1);
    pool.run([&]() -> Task<> {
      Flowvar<> dropped = weft::spawn(deep());  // by a task, at its end
      if (i % 2 == 0) (co_await io::nop()).value();
    });
    BOOST_TEST(ended.load() == 2 * i + 2);
  }
}

// Its sync_scope waits for tasks that nobody awaits, one of them in a scope of its own, or is still in its body.
WEFT_IO_TEST_EACH_WORKERS(by_dropping_who_waits_in_a_scope) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> cancelled{0};
  const auto reader = [&]() -> Task<> {
    if (co_await read_one(pipe.first) == std::errc::operation_canceled) cancelled.fetch_add(1);
  };
  const auto in_a_scope = [&](bool in_its_body) -> Task<> {
    co_await weft::sync_scope([&]() -> Task<> {
      weft::spawn_detached(reader());
      weft::spawn_detached([&]() -> Task<> { co_await weft::sync_scope([&]() -> Task<> {
        weft::spawn_detached(reader());
        co_return;
      }); });
      if (in_its_body) co_await reader();
    });
  };
  int want = 0;
  for (int i = 0; i < 20; ++i) {
    const bool in_its_body = i % 2 == 0;
    want += in_its_body ? 3 : 2;
    { Flowvar<> dropped = pool.spawn(in_a_scope(in_its_body)); }
    BOOST_TEST(cancelled.load() == want);
  }
}

// The task blocks its thread, by way of frames that run nested, and of tasks that others wait for.
WEFT_IO_TEST_EACH_WORKERS(by_dropping_who_blocks) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> cancelled{0};
  const auto reader = [&]() -> Task<> {
    if (co_await read_one(pipe.first) == std::errc::operation_canceled) cancelled.fetch_add(1);
  };
  const auto syncs = [&]() -> Task<> {
    weft::sync(weft::spawn(reader()));
    co_return;
  };
  const std::function<Task<>()> ways[] = {
      syncs,
      [&]() -> Task<> { co_await syncs(); },
      [&]() -> Task<> { co_await weft::spawn(syncs()); },
      [&]() -> Task<> {  // the child is run on top of this one
        weft::sync(weft::spawn(syncs()));
        co_return;
      },
      [&]() -> Task<> {
        (co_await io::nop()).value();
        Threadpool::current()->run(syncs());
      },
      [&]() -> Task<> {
        Threadpool::current()->sync_scope([&] { weft::spawn_detached(syncs()); });
        co_return;
      },
      [&]() -> Task<> { co_await weft::sync_scope([&]() -> Task<> { weft::spawn_detached(syncs()); co_return; }); },
      [&]() -> Task<> {
        { Flowvar<> dropped = weft::spawn(syncs()); }
        co_return;
      },
  };
  int want = 0;
  for (int round = 0; round < 10; ++round) {
    for (const auto& way : ways) {
      { Flowvar<> dropped = pool.spawn(way()); }
      BOOST_TEST(cancelled.load() == ++want);
      // On top of the dropper, who does not wait yet.
      pool.run([&]() -> Task<> {
        Flowvar<> dropped = weft::spawn(way());
        co_return;
      });
      BOOST_TEST(cancelled.load() == ++want);
    }
  }
}

// It ran on when what it had awaited came back before that could park.
WEFT_IO_TEST_EACH_WORKERS(by_dropping_who_blocks_after_a_foreign_await) {
  struct Elsewhere {
    std::atomic<bool>& ended;
    std::thread& thread;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      std::atomic<bool>& has_ended = ended;  // *this goes with the frame
      thread = std::thread([handle] { handle.resume(); });
      weft::test::wait_until([&] { return has_ended.load(); });
    }
    void await_resume() const noexcept {}
  };
  Threadpool pool({.num_threads = std::max(workers, 2), .caller_participates = false});
  Ends pipe = weft::test::make_pipe();
  std::atomic<int> cancelled{0};
  for (int i = 0; i < 10; ++i) {
    std::atomic<bool> ended{false};
    std::thread thread;
    const auto awaits = [&]() -> Task<> {
      co_await Elsewhere{ended, thread};
      ended = true;
    };
    const auto blocks = [&]() -> Task<> {
      co_await awaits();
      weft::sync(weft::spawn([&]() -> Task<> {
        if (co_await read_one(pipe.first) == std::errc::operation_canceled) cancelled.fetch_add(1);
      }));
    };
    { Flowvar<> dropped = pool.spawn(blocks()); }
    thread.join();
    BOOST_TEST(cancelled.load() == i + 1);
  }
}

// One task awaits it, and another one's sync_scope waits for it, too: that one is dropped.
WEFT_IO_TEST_EACH_WORKERS(by_dropping_one_of_two_that_wait) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  for (int i = 0; i < 10; ++i) {
    std::atomic<bool> made{false};
    Flowvar<std::error_code> reader;
    Flowvar<> scope = pool.spawn([&]() -> Task<> {
      co_await weft::sync_scope([&]() -> Task<> {
        reader = weft::spawn(read_one(pipe.first));
        made = true;
        co_return;
      });
    });
    weft::test::wait_until([&] { return made.load(); });
    Flowvar<bool> awaits = pool.spawn([&]() -> Task<bool> {
      co_return co_await std::move(reader) == std::errc::operation_canceled;
    });
    if (i % 2 == 0) pool.run([]() -> Task<> { (void)co_await io::nop(); });
    { Flowvar<> dropped = std::move(scope); }
    BOOST_TEST(pool.sync(std::move(awaits)));
  }
}

// What it waits for runs on another pool, or is an item of a stream that is there.
WEFT_IO_TEST_EACH_WORKERS(by_way_of_another_pool) {
  Threadpool other(workers);
  Ends pipe = weft::test::make_pipe();
  Ends sockets = weft::test::make_socket_pair();
  io::BufferPool buffers(4, 64);
  std::atomic<int> cancelled{0};
  std::atomic<int> begun{0};
  const auto reader = [&]() -> Task<> {
    begun.fetch_add(1);
    if (co_await read_one(pipe.first) == std::errc::operation_canceled) cancelled.fetch_add(1);
  };
  const std::function<Task<>()> ways[] = {
      [&]() -> Task<> { co_await other.spawn(reader()); },
      [&]() -> Task<> {
        other.sync(other.spawn(reader()));
        co_return;
      },
      [&]() -> Task<> {
        co_await weft::sync_scope([&]() -> Task<> { other.spawn_detached(reader()); co_return; });
      },
      [&]() -> Task<> {
        auto stream = io::recv_many(sockets.first, buffers);
        // Has the other pool's hub.
        co_await other.spawn([&]() -> Task<> { (void)co_await stream.next().timeout(1ms); });
        begun.fetch_add(1);
        const auto item = co_await stream.next();
        if (item && item->error() == std::errc::operation_canceled) cancelled.fetch_add(1);
      },
  };
  int want = 0;
  for (int round = 0; round < 10; ++round) {
    for (const auto& way : ways) {
      Threadpool pool(workers);
      if (round % 2 == 0) {
        { Flowvar<> dropped = pool.spawn(way()); }
        BOOST_TEST(cancelled.load() == ++want);
      } else {
        pool.spawn_detached(way());
        weft::test::wait_until([&] { return begun.load() == want + 1; });
        ++want;  // with the pool, at the end of this scope
      }
    }
    BOOST_TEST(cancelled.load() == want);
  }
  // The other pool is none the worse.
  Flowvar<> stays = other.spawn(reader());
  (void)!::write(pipe.second.get(), "x", 1);
  other.sync(std::move(stays));
  BOOST_TEST(cancelled.load() == want);
}

// Only the dropped one.
WEFT_IO_TEST_EACH_WORKERS(dropping_one_leaves_the_others) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  Flowvar<std::error_code> stays = pool.spawn(read_one(pipe.first));
  for (int i = 0; i < 20; ++i) Flowvar<std::error_code> dropped = pool.spawn(read_one(pipe.first));
  BOOST_TEST(!stays.is_ready());
  (void)!::write(pipe.second.get(), "x", 1);
  BOOST_TEST(!pool.sync(std::move(stays)));
}

WEFT_IO_TEST_EACH_WORKERS(with_the_pool) {
  const auto before = weft::test::open_descriptors();
  for (int round = 0; round < 5; ++round) {
    Ends pipe = weft::test::make_pipe();
    std::vector<Flowvar<std::error_code>> readers;
    std::atomic<int> cancelled{0};
    {
      Threadpool pool(workers);
      for (int i = 0; i < 50; ++i) readers.push_back(pool.spawn(read_one(pipe.first)));
      pool.spawn_detached([&]() -> Task<> {
        // Whatever is started later fails likewise.
        while ((co_await io::sleep_for(1h)).error() != std::errc::operation_canceled) {
        }
        cancelled += (co_await io::nop()).error() == std::errc::operation_canceled ? 1 : 0;
      });
      if (round % 2 == 0) pool.run([]() -> Task<> { (co_await io::nop()).value(); });
    }
    BOOST_TEST(cancelled.load() == 1);
    for (auto& reader : readers) {
      BOOST_TEST(reader.is_ready());
      BOOST_TEST((weft::sync(std::move(reader)) == std::errc::operation_canceled));
    }
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

// shutdown() waits for tasks; it cancels nothing.
WEFT_IO_TEST_EACH_WORKERS(shutdown_waits) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  Flowvar<std::error_code> reader = pool.spawn(read_one(pipe.first));
  std::jthread writer([&] {
    std::this_thread::sleep_for(5ms);
    (void)!::write(pipe.second.get(), "x", 1);
  });
  pool.shutdown();
  BOOST_TEST(!weft::sync(std::move(reader)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
