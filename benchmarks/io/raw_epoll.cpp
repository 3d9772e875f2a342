// SPDX-License-Identifier: MIT OR Apache-2.0
// io_raw_epoll WORKLOAD: the workloads by hand, on epoll where that has a part in them.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <vector>

#include "alarm_heap.hpp"
#include "check.hpp"
#include "runtime.hpp"

namespace bench::io::raw_epoll {
namespace {

using weft::io::Fd;

Fd make_epoll() { return Fd(called(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")); }

// There is always room for these few bytes, so that an error is one.
void say(const Speaker& end, std::span<const std::byte> words) {
  while (!words.empty()) {
    const ssize_t sent =
        end.is_socket() ? send(end.out(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
                        : write(end.out(), words.data(), words.size());
    words = words.subspan(static_cast<std::size_t>(called(sent, "send")));
  }
}

void listen(Speaker& end) {
  const std::span<std::byte> room = end.room();
  const ssize_t bytes = end.is_socket() ? recv(end.in(), room.data(), room.size(), MSG_DONTWAIT)
                                        : ::read(end.in(), room.data(), room.size());
  if (bytes < 0 && errno == EAGAIN) return;
  say(end, end.hear(static_cast<std::size_t>(called(bytes, "receive"))));
}

void talk(std::span<Speaker> ends, const Options&) {
  const Fd epoll = make_epoll();
  for (Speaker& end : ends) {
    epoll_event event{EPOLLIN, {.ptr = &end}};
    called(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, end.in(), &event), "epoll_ctl");
    say(end, end.begin());
  }
  std::array<epoll_event, 256> events;
  for (std::size_t open = ends.size(); open > 0;) {
    const int count = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno == EINTR) continue;
    for (int i = 0; i < called(count, "epoll_wait"); ++i) {
      Speaker& end = *static_cast<Speaker*>(events[static_cast<std::size_t>(i)].data.ptr);
      listen(end);
      if (!end.done()) continue;
      called(epoll_ctl(epoll.get(), EPOLL_CTL_DEL, end.in(), nullptr), "epoll_ctl");
      end.hang_up();
      --open;
    }
  }
}

// For epoll a file is always readable: a thread per read in flight.
void read(std::span<Reader> readers, const Options&) {
  std::vector<std::future<void>> threads;
  for (Reader& reader : readers) {
    threads.push_back(std::async(std::launch::async, [&] {
      while (reader.next()) {
        const auto offset = static_cast<off_t>(reader.offset());
        const ssize_t bytes = pread(reader.file(), reader.buffer().data(), kBlock, offset);
        reader.got(static_cast<std::size_t>(called(bytes, "pread")));
      }
    }));
  }
  for (std::future<void>& thread : threads) thread.get();
}

void wait(Alarms& alarms, const Options&) {
  const Fd epoll = make_epoll();
  epoll_event event{};
  ring_all(alarms, [&](std::chrono::nanoseconds time) {
    const timespec timeout{time.count() / 1'000'000'000, time.count() % 1'000'000'000};
    const int count = epoll_pwait2(epoll.get(), &event, 1, &timeout, nullptr);
    if (count < 0 && errno != EINTR) called(count, "epoll_pwait2");
  });
}

}  // namespace
}  // namespace bench::io::raw_epoll

int main(int argc, char** argv) {
  using namespace bench::io;
  return run_named({"epoll by hand", raw_epoll::talk, raw_epoll::read, raw_epoll::wait, true}, argc,
                   argv);
}
