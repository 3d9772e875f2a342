// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Registered buffers and files: the same bytes as without, on every worker; who destroys them early; what
// is refused. Where there is a ring, the kernel says what that has registered.

#include <weft/weft.hpp>

#include <linux/capability.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "../support/handshake.hpp"
#include "../support/io.hpp"
#include "../support/workers.hpp"

using namespace std::chrono_literals;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::bytes;
using weft::test::Ends;
using weft::test::Limit;
using weft::test::text;
namespace io = weft::io;

namespace {

// What the kernel says about all rings of this process, as far as it does.
std::string rings() {
  namespace fs = std::filesystem;
  std::string all;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) != "anon_inode:[io_uring]") continue;
    std::ostringstream one;
    one << std::ifstream("/proc/self/fdinfo" / entry.path().filename()).rdbuf();
    all += one.str();
  }
  return all;
}

std::string address_of(const io::FixedBuffers& buffers) {
  std::ostringstream out;
  out << "0x" << std::hex << reinterpret_cast<std::uintptr_t>(buffers[0].data()) << '/';
  return out.str();
}

bool ring_shows_tables() {
  return io::backend() == "io_uring" && rings().find("UserBufs:") != std::string::npos;
}

// Until all workers have seen what was posted to their hubs.
template <class Predicate>
void run_until(Threadpool& pool, Predicate predicate) {
  while (!predicate()) {
    for (int i = 0; i < 8; ++i) pool.run([]() -> Task<> { (void)co_await io::nop(); });
  }
}

constexpr std::string_view kMark = "not given back yet";

// Does the memory still hold what was written to it? Where it is gone something else may be by now, or
// nothing: the kernel looks.
bool holds_mark(const std::byte* memory) {
  Ends pipe = weft::test::make_pipe();
  std::array<char, kMark.size()> found;
  return ::write(pipe.second.get(), memory, found.size()) == ssize_t{kMark.size()} &&
         ::read(pipe.first.get(), found.data(), found.size()) == ssize_t{kMark.size()} &&
         std::ranges::equal(found, kMark);
}

// What a thread needs to lock more memory than RLIMIT_MEMLOCK says; taken away until the end.
class NoIpcLock {
 public:
  NoIpcLock() {
    ::syscall(SYS_capget, &header_, before_);
    __user_cap_data_struct less[2] = {before_[0], before_[1]};
    less[0].effective &= ~(1u << CAP_IPC_LOCK);
    ::syscall(SYS_capset, &header_, less);
  }
  NoIpcLock(const NoIpcLock&) = delete;
  NoIpcLock& operator=(const NoIpcLock&) = delete;
  ~NoIpcLock() { ::syscall(SYS_capset, &header_, before_); }

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[2] = {};
};

// The message of what it throws, or nothing.
template <class Error, class F>
std::string thrown(F body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

bool says(const std::string& message, std::string_view what) {
  if (message.find(what) != std::string::npos) return true;
  BOOST_TEST_MESSAGE("it says: " << message);
  return false;
}

BOOST_AUTO_TEST_SUITE(io_fixed)

// ---- buffers -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(parts_of_a_buffer) {
  io::FixedBuffers buffers(3, 100);
  BOOST_TEST(buffers.size() == 3u);
  BOOST_TEST(buffers.bytes() == 100u);
  BOOST_TEST((buffers[1].data() == buffers[0].data() + 100));
  BOOST_TEST((reinterpret_cast<std::uintptr_t>(buffers[0].data()) % 4096 == 0));
  BOOST_TEST(std::ranges::all_of(buffers[2].bytes(), [](std::byte b) { return b == std::byte{}; }));
  const io::FixedBuffer part = buffers[2].subspan(10).subspan(5, 50).first(20);
  BOOST_TEST((part.data() == buffers[2].data() + 15));
  BOOST_TEST(part.size() == 20u);
  io::FixedBuffers moved = std::move(buffers);
  BOOST_TEST(moved.size() == 3u);
  buffers = io::FixedBuffers(1, 1);
  std::swap(buffers, moved);
  BOOST_TEST(buffers.size() == 3u);
}

// On all workers at the same time, through files and pipes, with every operation that takes them.
WEFT_IO_TEST_EACH_WORKERS(same_bytes_as_without) {
  Threadpool pool(workers);
  constexpr std::size_t kTasks = 32;
  constexpr std::size_t kBytes = 3000;
  io::FixedBuffers buffers(2 * kTasks, kBytes);
  const weft::test::TemporaryDirectory directory;
  pool.run([&]() -> Task<> {
    const io::Fd file = (co_await io::openat(io::borrow(AT_FDCWD), directory / "file",
                                             O_RDWR | O_CREAT, 0600)).value();
    std::vector<Flowvar<>> tasks;
    for (std::size_t i = 0; i < kTasks; ++i) {
      tasks.push_back(weft::spawn([&, i]() -> Task<> {
        const io::FixedBuffer out = buffers[2 * i];
        const io::FixedBuffer in = buffers[2 * i + 1];
        for (std::size_t k = 0; k < kBytes; ++k) out.bytes()[k] = static_cast<std::byte>(i + k);
        for (int round = 0; round < 10; ++round) {
          std::memset(in.data(), 0, kBytes);
          weft::test::require((co_await io::write(file, out, i * kBytes)).value() == kBytes, "write");
          weft::test::require((co_await io::read(file, in, i * kBytes)).value() == kBytes, "read");
          weft::test::require(std::ranges::equal(in.bytes(), out.bytes()), "the bytes of a file");
          std::memset(in.data(), 0, kBytes);
          Ends pipe = weft::test::make_pipe(round % 2 == 0 ? 0 : O_NONBLOCK);
          Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
            co_return (co_await io::read_all(pipe.first, in.subspan(1))).value();
          });
          for (std::size_t at = 1; at < kBytes; at += 1000) {
            const std::size_t n = std::min<std::size_t>(1000, kBytes - at);
            weft::test::require((co_await io::write_all(pipe.second, out.subspan(at, n))).value() == n,
                                "write_all");
          }
          weft::test::require(co_await std::move(reader) == kBytes - 1, "read_all");
          weft::test::require(std::ranges::equal(in.subspan(1).bytes(), out.subspan(1).bytes()),
                              "the bytes of a pipe");
        }
      }));
    }
    for (auto& task : tasks) co_await std::move(task);
  });
}

BOOST_AUTO_TEST_CASE(sockets) {
  Threadpool pool(2);
  io::FixedBuffers buffers(2, 5000);
  std::ranges::fill(buffers[0].bytes(), std::byte{7});
  pool.run([&]() -> Task<> {
    const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const io::Fd client =
        (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value();
    const io::Fd server = (co_await io::accept(listener)).value();
    BOOST_TEST((co_await io::send_all(client, buffers[0].first(1000))).value() == 1000u);
    BOOST_TEST((co_await io::send(client, buffers[0].first(1000))).value() == 1000u);
    for (std::size_t sent = 0; sent < 3000;) {
      sent += (co_await io::send_zc(client, buffers[0].first(3000 - sent))).value();
    }
    BOOST_TEST((co_await io::recv(server, buffers[1], MSG_WAITALL)).value() == 5000u);
    BOOST_TEST(std::ranges::equal(buffers[0].bytes(), buffers[1].bytes()));
  });
}

// The rings have them while they exist, and not longer.
WEFT_IO_TEST_EACH_WORKERS(rings_have_the_buffers) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  const auto use = [&](const io::FixedBuffers& buffers) {
    pool.run([&]() -> Task<> {
      BOOST_TEST((co_await io::write(pipe.second, buffers[0])).value() == 512u);
      BOOST_TEST((co_await io::read(pipe.first, buffers[1])).value() == 512u);
    });
  };
  std::optional<io::FixedBuffers> buffers(std::in_place, 2, 512);
  const std::string address = address_of(*buffers);
  use(*buffers);
  if (!ring_shows_tables()) return;
  BOOST_TEST(says(rings(), address));
  io::FixedBuffers others(4, 512);
  use(others);
  BOOST_TEST(says(rings(), address_of(others)));
  buffers.reset();
  run_until(pool, [&] { return rings().find(address) == std::string::npos; });
  BOOST_TEST(says(rings(), address_of(others)));
  use(others);
}

// The memory stays until the last operation has ended.
WEFT_IO_TEST_EACH_WORKERS(buffers_destroyed_in_flight) {
  Threadpool pool(workers);
  Ends pipe = weft::test::make_pipe();
  std::optional<io::FixedBuffers> buffers(std::in_place, 4, 64);
  std::byte* const memory = (*buffers)[0].data() + 16;  // the reads use less
  std::ranges::copy(bytes(kMark), memory);
  std::atomic<int> begun{0};
  std::vector<Flowvar<std::size_t>> readers;
  for (std::size_t i = 0; i < 4; ++i) {
    readers.push_back(pool.spawn([&, i]() -> Task<std::size_t> {
      auto read = io::read(pipe.first, (*buffers)[i].first(4));
      begun += 1;
      co_return (co_await read).value();
    }));
  }
  Flowvar<> never_made = pool.spawn([&]() -> Task<> {
    auto not_awaited = io::read(pipe.first, (*buffers)[0]);
    begun += 1;
    (void)co_await io::sleep_for(1ms);
  });
  run_until(pool, [&] { return begun.load() == 5; });
  buffers.reset();
  BOOST_TEST(holds_mark(memory));
  BOOST_REQUIRE(::write(pipe.second.get(), "0123456789abcdef", 16) == 16);
  for (auto& reader : readers) BOOST_TEST(pool.sync(std::move(reader)) == 4u);
  pool.sync(std::move(never_made));
  run_until(pool, [&] { return !holds_mark(memory); });
}

WEFT_IO_TEST_EACH_WORKERS(cancelled_and_linked) {
  Threadpool pool(workers);
  io::FixedBuffers buffers(2, 16);
  const weft::test::TemporaryDirectory directory;
  pool.run([&]() -> Task<> {
    Ends pipe = weft::test::make_pipe();
    BOOST_TEST(((co_await io::read(pipe.first, buffers[0]).timeout(1ms)).error() == std::errc::timed_out));
    std::stop_source stop;
    stop.request_stop();
    BOOST_TEST(((co_await io::read(pipe.first, buffers[0]).stop_on(stop.get_token())).error() ==
                std::errc::operation_canceled));
    const io::Fd file = (co_await io::openat(io::borrow(AT_FDCWD), directory / "file",
                                             O_RDWR | O_CREAT, 0600)).value();
    std::ranges::fill(buffers[0].bytes(), std::byte{'x'});
    const auto [written, synced, read] = co_await io::link(
        io::write(file, buffers[0], 0), io::fsync(file), io::read(file, buffers[1], 0));
    BOOST_TEST(written.value() == 16u);
    BOOST_TEST(synced.has_value());
    BOOST_TEST(read.value() == 16u);
    BOOST_TEST(text(buffers[1].bytes(), 16) == "xxxxxxxxxxxxxxxx");
  });
}

// ---- files ---------------------------------------------------------------------------------

// Whoever made them may close his own.
WEFT_IO_TEST_EACH_WORKERS(files_in_place_of_descriptors) {
  const auto before = weft::test::open_descriptors();
  {
    Threadpool pool(workers);
    const weft::test::TemporaryDirectory directory;
    std::optional<io::FixedFiles> files;
    {
      const Ends sockets = weft::test::make_socket_pair();
      const Ends pipe = weft::test::make_pipe();
      const io::Fd file(::open((directory / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      const int all[] = {sockets.first.get(), sockets.second.get(), pipe.first.get(),
                         pipe.second.get(), file.get()};
      files.emplace(all);
    }
    BOOST_TEST(files->size() == 5u);
    const io::FixedFiles& f = *files;
    pool.run([&]() -> Task<> {
      std::array<std::byte, 16> in;
      for (int round = 0; round < 20; ++round) {
        Flowvar<std::size_t> reader = weft::spawn([&]() -> Task<std::size_t> {
          co_return (co_await io::recv(f[1], in)).value();
        });
        BOOST_TEST((co_await io::send_all(f[0], bytes("hello"))).value() == 5u);
        BOOST_TEST(co_await std::move(reader) == 5u);
        BOOST_TEST((co_await io::write(f[4], bytes("file"), 0)).value() == 4u);
        BOOST_TEST((co_await io::fdatasync(f[4])).has_value());
        BOOST_TEST((co_await io::splice(f[4], 0, f[3], io::kOwnPosition, 4)).value() == 4u);
        BOOST_TEST(((co_await io::poll(f[2], POLLIN)).value() & POLLIN) != 0);
        BOOST_TEST((co_await io::splice(f[2], f[0], 4)).value() == 4u);
        BOOST_TEST((co_await io::recv(f[1], in)).value() == 4u);
        BOOST_TEST(text(in, 4) == "file");
        BOOST_TEST(((co_await io::read(f[2], in).timeout(1ms)).error() == std::errc::timed_out));
      }
      // By path, and with streams.
      BOOST_TEST((co_await io::statx(f[4], "", AT_EMPTY_PATH)).value().stx_size == 4u);
      io::BufferPool buffers(4, 8);
      auto stream = io::recv_many(f[1], buffers);
      BOOST_TEST((co_await io::send_all(f[0], bytes("x"))).value() == 1u);
      BOOST_TEST((co_await stream.next())->value().size() == 1u);
      BOOST_TEST((co_await io::shutdown(f[0], SHUT_WR)).has_value());
      BOOST_TEST((co_await stream.next())->value().empty());
    });
    if (ring_shows_tables()) BOOST_TEST(says(rings(), "UserFiles:"));
    const io::FixedBuffers together(1, 8);
    pool.run([&]() -> Task<> {
      BOOST_TEST((co_await io::write(f[3], together[0])).value() == 8u);
      BOOST_TEST((co_await io::read(f[2], together[0])).value() == 8u);
    });
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(listener_of_a_set) {
  Threadpool pool(2);
  pool.run([&]() -> Task<> {
    io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
    const int one[] = {listener.get()};
    const io::FixedFiles files(one);
    const std::uint16_t port = io::local_port(listener).value();
    listener = io::Fd();
    BOOST_TEST(io::local_port(files[0]).value() == port);
    auto connections = io::accept_many(files[0]);
    for (int i = 0; i < 5; ++i) {
      const io::Fd client = (co_await io::connect_tcp("127.0.0.1", port)).value();
      const io::Fd server = std::move(*co_await connections.next()).value();
      BOOST_TEST(server.valid());
    }
    connections.cancel();
    while (co_await connections.next()) {
    }
    const io::Fd client = (co_await io::connect_tcp("127.0.0.1", port)).value();
    BOOST_TEST((co_await io::accept(files[0])).has_value());
  });
}

// They stay open until the last operation has ended; then the peer sees the end.
WEFT_IO_TEST_EACH_WORKERS(files_destroyed_in_flight) {
  Threadpool pool(workers);
  pool.run([]() -> Task<> { (void)co_await io::nop(); });
  Ends sockets = weft::test::make_socket_pair();
  const int one[] = {sockets.first.get()};
  std::optional<io::FixedFiles> files(std::in_place, one);
  sockets.first = io::Fd();
  std::atomic<bool> begun{false};
  Flowvar<std::size_t> reader = pool.spawn([&]() -> Task<std::size_t> {
    std::array<std::byte, 8> in;
    auto recv = io::recv((*files)[0], in);
    begun = true;
    co_return (co_await recv).value();
  });
  run_until(pool, [&] { return begun.load(); });
  files.reset();
  BOOST_REQUIRE(::send(sockets.second.get(), "x", 1, MSG_NOSIGNAL) == 1);
  BOOST_TEST(pool.sync(std::move(reader)) == 1u);
  char byte = 0;
  BOOST_TEST(::recv(sockets.second.get(), &byte, 1, 0) == 0);  // waits for a ring that still has it
}

// A set outlives pools, and the other way round; other sets come in its place.
WEFT_IO_TEST_EACH_WORKERS(sets_and_pools_come_and_go) {
  const auto before = weft::test::open_descriptors();
  {
    std::optional<io::FixedBuffers> buffers(std::in_place, 2, 64);
    Ends pipe = weft::test::make_pipe();
    const int ends[] = {pipe.first.get(), pipe.second.get()};
    std::optional<io::FixedFiles> files(std::in_place, ends);
    for (int i = 0; i < 6; ++i) {
      Threadpool pool(workers);
      for (int k = 0; k < 4; ++k) {
        std::vector<Flowvar<>> tasks;
        for (std::size_t t = 0; t < 2; ++t) {
          tasks.push_back(pool.spawn([&, t]() -> Task<> {
            (co_await io::write((*files)[1], (*buffers)[t])).value();
            weft::test::require((co_await io::read_all((*files)[0], (*buffers)[t])).value() == 64, "read");
          }));
        }
        for (auto& task : tasks) pool.sync(std::move(task));
        if (k == 1) buffers.emplace(2, 64);
        if (k == 2) files.emplace(ends);
      }
    }
  }
  BOOST_TEST(weft::test::open_descriptors() == before);
}

// ---- what is refused -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(counts_and_sizes) {
  using Invalid = std::invalid_argument;
  BOOST_TEST(says(thrown<Invalid>([] { io::FixedBuffers(0, 5); }), "count is 0, must be 1 to"));
  BOOST_TEST(says(thrown<Invalid>([] { io::FixedBuffers(5, 0); }), "bytes is 0, must be 1 to"));
  BOOST_TEST(says(thrown<Invalid>([] { io::FixedBuffers(1025, 1 << 20); }),
                  "count * bytes is 1074790400, must be 1 to 1073741824"));
  BOOST_TEST(says(thrown<Invalid>([] { io::FixedBuffers(~std::size_t{0}, ~std::size_t{0}); }), "count is"));
  BOOST_TEST(says(thrown<Invalid>([] { io::FixedFiles({}); }), "number of files is 0, must be 1 to 16384"));
  const int bad[] = {0, -5};
  BOOST_TEST(says(thrown<std::system_error>([&] { io::FixedFiles f(bad); }), "descriptor -5"));
}

BOOST_AUTO_TEST_CASE(locked_memory) {
  const bool locks = io::backend() == "io_uring";
  const NoIpcLock as_everybody;
  const Limit limit(RLIMIT_MEMLOCK, 1 << 20);
  if (!locks) {
    io::FixedBuffers(16, 1 << 20);
    return;
  }
  std::error_code code;
  const std::string message = thrown<std::system_error>([&] {
    try {
      io::FixedBuffers(16, 1 << 20);
    } catch (const std::system_error& error) {
      code = error.code();
      throw;
    }
  });
  BOOST_TEST(says(message, "16777216 bytes (16 buffers of 1048576), RLIMIT_MEMLOCK is 1048576"));
  BOOST_TEST((code == std::errc::not_enough_memory));
}

// The kernel allows it once, not for each ring: those that are refused work as without.
WEFT_IO_TEST_EACH_WORKERS(locked_memory_of_the_next_ring) {
  (void)io::backend();  // decided without a limit
  const NoIpcLock as_everybody;  // inherited by the pool's threads
  // As low as it can be: the kernel may still count rings of before.
  std::optional<Limit> limit;
  std::optional<io::FixedBuffers> made;
  for (rlim_t bytes = 1'500'000; !made; bytes += 500'000) {
    limit.reset();
    rlimit most{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_MEMLOCK, &most) == 0);
    if (bytes > most.rlim_cur) {
      BOOST_TEST_MESSAGE("nothing can be locked here");
      return;
    }
    limit.emplace(RLIMIT_MEMLOCK, bytes);
    try {
      made.emplace(16, 1 << 16);
    } catch (const std::system_error&) {
    }
  }
  const io::FixedBuffers& buffers = *made;
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  std::vector<Flowvar<>> tasks;
  for (std::size_t i = 0; i < 16; ++i) {
    tasks.push_back(pool.spawn([&, i]() -> Task<> {
      Ends pipe = weft::test::make_pipe();
      const io::FixedBuffer buffer = buffers[i].first(4096);
      for (int k = 0; k < 20; ++k) {
        weft::test::require((co_await io::write(pipe.second, buffer)).value() == 4096, "write");
        weft::test::require((co_await io::read(pipe.first, buffer)).value() == 4096, "read");
      }
    }));
  }
  for (auto& task : tasks) pool.sync(std::move(task));
}

BOOST_AUTO_TEST_CASE(too_many) {
  std::vector<io::FixedBuffers> sets;
  for (int i = 0; i < 1024; ++i) sets.emplace_back(1, 1);
  BOOST_TEST(says(thrown<std::system_error>([] { io::FixedBuffers(1, 1); }), "there are 1024 of them"));
  sets.erase(sets.begin() + 100);
  sets.emplace_back(1, 1);
  // The last number of all works, too.
  Threadpool pool(2);
  Ends pipe = weft::test::make_pipe();
  pool.run([&]() -> Task<> {
    for (const std::size_t at : {std::size_t{0}, sets.size() - 2, sets.size() - 1}) {
      BOOST_TEST((co_await io::write(pipe.second, sets[at][0])).value() == 1u);
      BOOST_TEST((co_await io::read(pipe.first, sets[at][0])).value() == 1u);
    }
  });
  const std::vector<int> many(200, 0);
  {
    const Limit limit(RLIMIT_NOFILE, 100);
    BOOST_TEST(says(thrown<std::system_error>([&] { io::FixedFiles f(many); }),
                    "no descriptors for 200 files, RLIMIT_NOFILE is 100"));
  }
  std::vector<io::FixedFiles> files;
  const auto before = weft::test::open_descriptors();
  const std::string message = thrown<std::system_error>([&] {
    for (;;) files.emplace_back(many);
  });
  // The one or the other comes first.
  const bool named = message.find("the limit of a process is 16384") != std::string::npos ||
                     message.find("RLIMIT_NOFILE is") != std::string::npos;
  BOOST_TEST(named);
  BOOST_TEST(weft::test::open_descriptors() == before + 200 * static_cast<std::ptrdiff_t>(files.size()));
  files.pop_back();
  files.emplace_back(many);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
