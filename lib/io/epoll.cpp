// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The driver where there is no ring: tries each operation by plain system calls, waits until it can
// go on, and leaves what blocks to the helper threads.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <unordered_map>

#include "io/driver.hpp"
#include "io/helpers.hpp"
#include "io/hub.hpp"
#include "io/interpret.hpp"
#include "io/line.hpp"
#include "weft/io/raw.hpp"

namespace weft::io {

namespace detail {

namespace {

// Of Operation::driver_state; interpret.cpp has its own.
constexpr std::uint8_t kWithHelper = 255;

class Epoll final : public Driver {
 public:
  Epoll(Hub& hub, int event);

  void start(Operation& op) noexcept override {
    op.driver_state = 0;
    try_soon(op);
  }
  bool cancel(Operation& op) noexcept override;
  bool ready() const noexcept override { return unsubmitted(); }
  bool tells() const noexcept override { return false; }
  bool unsubmitted() const noexcept override { return !to_try_.empty(); }
  void poll(bool submit) noexcept override;
  void wait(Nanoseconds timeout) noexcept override;

 private:
  // The operations that wait for one descriptor.
  struct Watch {
    Line line;
    bool known = false;  // to the kernel, as far as we know: it forgets closed descriptors
  };

  void try_soon(Operation& op) noexcept {
    op.driver_events = 0;
    to_try_.append(op);
  }
  void try_all() noexcept;
  void give_to_helper(Operation& op) noexcept;
  void wait_for_readiness(Operation& op) noexcept;
  int arm(int fd, Watch& watch) noexcept;
  void look(Nanoseconds timeout) noexcept;
  void is_ready(int fd, std::uint32_t events) noexcept;

  Hub& hub_;
  const int event_;
  const Fd epoll_;
  Line to_try_;
  std::unordered_map<int, Watch> watches_;
  std::size_t waiting_ = 0;  // in all lines of those
};

Epoll::Epoll(Hub& hub, int event)
    : hub_(hub), event_(event), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event wake_up{};
  wake_up.events = EPOLLIN | EPOLLET;  // each signal once, although nobody reads the counter
  wake_up.data.fd = event;
  if (!epoll_.valid() || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event, &wake_up) != 0) {
    throw std::system_error(errno, std::system_category());
  }
}

bool Epoll::cancel(Operation& op) noexcept {
  if (op.driver_state == kWithHelper) return hub_.helpers(op).cancel(op);
  if (op.driver_events == 0) {
    to_try_.remove(op);
  } else {
    watches_.find(op.driver_fd)->second.line.remove(op);
    --waiting_;
  }
  // Of a recv with MSG_WAITALL some is there.
  if (op.step == nullptr && op.done_bytes != 0) {
    hub_.completed(op, static_cast<std::int32_t>(op.done_bytes));
    return false;
  }
  return true;
}

void Epoll::give_to_helper(Operation& op) noexcept {
  op.call = run_blocking;
  op.driver_state = kWithHelper;
  hub_.helpers(op).run(op);
}

void Epoll::try_all() noexcept {
  // Those that are there now: what starts again comes next time.
  for (Operation* const last = to_try_.last; !to_try_.empty();) {
    Operation& op = *to_try_.first;
    to_try_.remove(op);
    const bool was_last = &op == last;
    if (blocks(op)) {
      give_to_helper(op);
    } else {
      const std::int32_t result = try_now(op);
      if (result != -EAGAIN) {
        hub_.completed(op, result);
      } else if (op.driver_events != 0) {
        wait_for_readiness(op);
      } else if (op.sqe().opcode == IORING_OP_CONNECT) {
        give_to_helper(op);
      } else {
        hub_.completed(op, result);
      }
    }
    if (was_last) break;
  }
}

void Epoll::wait_for_readiness(Operation& op) noexcept {
  Watch* watch = nullptr;
  try {
    watch = &watches_[op.driver_fd];
  } catch (...) {  // std::bad_alloc
    return hub_.completed(op, -ENOMEM);
  }
  watch->line.append(op);
  const int error = arm(op.driver_fd, *watch);
  if (error == 0) {
    ++waiting_;
    return;
  }
  watch->line.remove(op);
  if (error == EPERM && op.sqe().opcode == IORING_OP_POLL_ADD) {
    return hub_.completed(op, static_cast<std::int32_t>(op.driver_events));  // a file: always ready
  }
  hub_.completed(op, -error);
}

// Once, for all that its operations want: an event disarms it.
int Epoll::arm(int fd, Watch& watch) noexcept {
  epoll_event wanted{};
  wanted.events = EPOLLONESHOT;
  for (const Operation* op = watch.line.first; op != nullptr; op = op->queued_after) {
    wanted.events |= op->driver_events;
  }
  wanted.data.fd = fd;
  if (watch.known) {
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &wanted) == 0) return 0;
    if (errno != ENOENT) return errno;
  }
  watch.known = true;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0) return 0;
  watch.known = errno == EEXIST;
  return errno;
}

void Epoll::is_ready(int fd, std::uint32_t events) noexcept {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) return;
  Watch& watch = found->second;
  const std::uint32_t always = events & (EPOLLERR | EPOLLHUP);
  for (Operation* op = watch.line.first; op != nullptr;) {
    Operation& one = *op;
    op = op->queued_after;
    if ((one.driver_events & events) == 0 && always == 0) continue;
    watch.line.remove(one);
    --waiting_;
    try_soon(one);
  }
  if (watch.line.empty()) return;
  if (const int error = arm(fd, watch); error != 0) {  // closed under our feet: the calls will tell
    while (!watch.line.empty()) {
      Operation& op = *watch.line.first;
      watch.line.remove(op);
      --waiting_;
      try_soon(op);
    }
  }
}

void Epoll::look(Nanoseconds timeout) noexcept {
  constexpr int kAtOnce = 256;
  epoll_event events[kAtOnce];
  int count = -1;
  if (timeout == 0 || timeout == kNever) {
    count = ::epoll_wait(epoll_.get(), events, kAtOnce, timeout == 0 ? 0 : -1);
  } else {
    const timespec limit{.tv_sec = timeout / 1'000'000'000, .tv_nsec = timeout % 1'000'000'000};
    count = static_cast<int>(::syscall(SYS_epoll_pwait2, epoll_.get(), events, kAtOnce, &limit,
                                       nullptr, 0));
    if (count < 0 && errno != EINTR) {  // before Linux 5.11, or refused
      const Nanoseconds milliseconds = timeout / 1'000'000 + 1;
      count = ::epoll_wait(epoll_.get(), events, kAtOnce,
                           static_cast<int>(milliseconds < 1'000'000 ? milliseconds : 1'000'000));
    }
  }
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd != event_) is_ready(events[i].data.fd, events[i].events);
  }
}

void Epoll::poll(bool) noexcept {
  if (unsubmitted()) try_all();
  if (waiting_ == 0) return;
  look(0);
  if (unsubmitted()) try_all();
}

void Epoll::wait(Nanoseconds timeout) noexcept {
  look(unsubmitted() ? 0 : timeout);
  try_all();
}

}  // namespace

std::unique_ptr<Driver> make_epoll(Hub& hub, int event) {
  return std::make_unique<Epoll>(hub, event);
}

}  // namespace detail

std::string_view backend() noexcept { return detail::ring_usable() ? "io_uring" : "epoll"; }

}  // namespace weft::io
