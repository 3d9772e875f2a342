// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What all operations are: an awaitable that lives in the frame which awaits it, and stays there
/// until the kernel is done with it. `docs/design/io.md`.

#include <linux/io_uring.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/task_node.hpp"
#include "weft/io/fd.hpp"
#include "weft/io/fixed_ref.hpp"
#include "weft/io/result.hpp"

namespace weft::io {
class Reactor;
}

namespace weft::io::detail {

using weft::detail::TaskNode;

class Chain;
class Hub;
class StreamState;

/// Nanoseconds of the steady clock, or a duration.
using Nanoseconds = std::int64_t;
inline constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();

/// The same, from any duration: what does not fit is for ever.
template <class Rep, class Period>
Nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> time) noexcept {
  // In floating point, where nothing overflows; close enough to decide.
  const double seconds = std::chrono::duration<double>(time).count();
  if (!(seconds > 0)) return 0;
  if (seconds >= 9.2e9) return kNever;
  return std::chrono::ceil<std::chrono::nanoseconds>(time).count();
}

/// What lies in the inbox of a hub, once at a time. Bits are set by any thread, and taken by the
/// hub's.
struct InboxNode {
  static constexpr std::uint32_t kQueued = 1;    ///< in the inbox
  static constexpr std::uint32_t kStart = 2;     ///< of an outside thread: not started yet
  static constexpr std::uint32_t kStop = 4;      ///< its stop token says so
  static constexpr std::uint32_t kFinished = 8;  ///< by a helper thread
  static constexpr std::uint32_t kDrop = 16;     ///< the hub's own: look who is to be cancelled
  static constexpr std::uint32_t kStreamDropped = 32;  ///< a stream's: its owner is gone
  static constexpr std::uint32_t kBufferBack = 64;     ///< a shelf's: somebody waits for it
  static constexpr std::uint32_t kPoolDropped = 128;   ///< a shelf's: its buffer pool is gone
  static constexpr std::uint32_t kSetUnused = 256;     ///< a registration's: so is what it is of

  InboxNode* next_in_inbox = nullptr;
  weft::detail::Atomic<std::uint32_t> news{0};
};

/// Who runs it.
enum class Kind : std::uint8_t {
  kEntry,  ///< the driver, as `sqe` says
  kTimer,  ///< nobody: it ends at its deadline
  kCall,   ///< a helper thread: `call`
  kWait,   ///< `stream`: it ends with an item of that
  kStream, ///< the driver, time and again: it is a StreamState
  kChain,  ///< its parts, one after the other: it is a Chain
  kReceive,  ///< the driver, once there is a buffer: it is a Receive
};

/// Why an operation was cancelled.
enum class Reason : std::uint8_t { kNone, kStopped, kTimedOut };

/// Where an operation is, seen from its driver.
enum class Place : std::uint8_t {
  kNowhere,
  kWaiting,     ///< for room, for readiness, or for a helper
  kKernel,
  kCancelling,  ///< in the kernel, and its cancellation waits for room
  kHelper,
};

class Operation;

/// Tells an operation's hub that it is to stop; from any thread.
struct StopCallback {
  Operation* operation;
  WEFT_API void operator()() const noexcept;
};

/// One operation: all that its hub and its driver need to know, so that nothing is allocated but
/// the heap of deadlines.
/// Movable until it is awaited. From then on until it has ended it belongs to its hub's thread, but
/// for the members of InboxNode.
class Operation : public InboxNode {
 public:
  Operation() noexcept = default;
  Operation(Operation&& other) noexcept
      : token(std::move(other.token)),
        file_set(std::move(other.file_set)),
        other_set(std::move(other.other_set)),
        file_slot(other.file_slot),
        kind(other.kind),
        wanted_hub(other.wanted_hub),
        step(other.step),
        call(other.call),
        time(other.time),
        stream(other.stream),
        done_bytes(other.done_bytes) {
    std::memcpy(entry_, other.entry_, sizeof entry_);
  }
  Operation& operator=(Operation&&) = delete;
  ~Operation() = default;

  /// What is to be done, all but `user_data`, which is the driver's.
  io_uring_sqe& sqe() noexcept { return *reinterpret_cast<io_uring_sqe*>(entry_); }
  const io_uring_sqe& sqe() const noexcept {
    return *reinterpret_cast<const io_uring_sqe*>(entry_);
  }

  /// For an entry on that descriptor: if it is of FixedFiles, they stay.
  void keep(BorrowedFd fd) noexcept {
    file_slot = fd.slot();
    file_set = FixedRef(fd.set());
  }

  // Few operations need these: nobody writes them before, so that the rest lies on fewer cache lines.
  Operation* queued_before;  ///< in a queue of the driver's
  Operation* queued_after;
  std::size_t heap_place;    ///< in the hub's heap of deadlines
  std::optional<std::stop_callback<StopCallback>> on_stop;

  std::stop_token token;
  FixedRef file_set;   ///< if the descriptor is of FixedFiles: those
  FixedRef other_set;  ///< the FixedBuffers in which the buffer lies, or FixedFiles of a second descriptor
  int file_slot = -1;  ///< if the descriptor is of FixedFiles: its number in the table of a ring, or -1

  std::int32_t result = 0;  ///< as a completion has it: a value, or an error number negated
  std::uint32_t completion_flags = 0;  ///< of the last completion, where more than `result` counts
  std::uint32_t generation = 0;
  TaskNode* frame = nullptr;
  Hub* hub = nullptr;
  Operation* previous = nullptr;  ///< in the hub's list of all that has started
  Operation* next = nullptr;      ///< in that list; before, in the list of its outside thread

  Kind kind = Kind::kEntry;
  Reason reason = Reason::kNone;
  Place place = Place::kNowhere;
  std::uint8_t driver_state = 0;
  bool linked = false;              ///< of a chain: the driver has all of it
  bool ending = false;              ///< the driver was asked to end it, since it was started last
  Hub* wanted_hub = nullptr;  ///< that of a Reactor, or any

  /// After each completion, unless it was cancelled. \return true: `sqe` is to be started (again);
  /// false: `result` is that of the operation
  bool (*step)(Operation&) noexcept = nullptr;
  /// Runs on a helper thread, may block. \return as `result`
  std::int32_t (*call)(Operation&) noexcept = nullptr;

  Nanoseconds time = kNever;      ///< as given: how long it may take
  Nanoseconds deadline = kNever;  ///< of the steady clock, once started: it is in the hub's heap then

  StreamState* stream = nullptr;  ///< of Kind::kWait; from the start on any thread may look at it
  Chain* chain = nullptr;         ///< of which it is a part; then it has no frame

  std::uint64_t done_bytes = 0;     ///< of an operation that goes on until all is done
  int driver_fd = -1;               ///< of epoll: what it waits for, and
  std::uint32_t driver_events = 0;  ///< which events

 private:
  // Bytes, because the kernel's struct has a member that ISO C++ allows at no place but the last.
  alignas(io_uring_sqe) std::byte entry_[sizeof(io_uring_sqe)] = {};
};

/// Whose thread runs what is awaited on it.
WEFT_API Hub& hub_of(Reactor& reactor) noexcept;

/// Suspends `frame` until `op` has ended. \return false: it has ended already
WEFT_API bool start(Operation& op, TaskNode* frame) noexcept;

/// An error number negated, as an error_code.
inline std::error_code error_of(std::int32_t result) noexcept {
  return {-result, std::system_category()};
}

/// What `co_await` of an operation gives, by the type of its value.
template <class T>
Result<T> result_of(const Operation& op) {
  if (op.result < 0) return error_of(op.result);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_same_v<T, Fd>) {
    return Fd(op.result);
  } else {
    return static_cast<T>(op.result);
  }
}

/// Awaits an operation where it is, a temporary or not (GCC 12 would copy the latter).
template <class Op>
struct Awaiter {
  Op& op;
  bool await_ready() const noexcept { return op.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    frame.promise().before_suspend();
    return op.await_suspend(frame);
  }
  decltype(auto) await_resume() { return op.await_resume(); }
};

/// For PromiseBase::await_transform, which finds it by its argument.
template <class Op>
  requires requires { typename Op::ParksItself; }
Awaiter<Op> awaiter_of(Op& op) noexcept {
  return {op};
}

/// Base of every operation type. `Derived::prepare()` is called when it is awaited, and so does not
/// move any more.
template <class Derived, class T, class Base = Operation>
class [[nodiscard]] Awaitable : public Base {
 public:
  using Base::Base;
  using ParksItself = void;  ///< for PromiseBase::await_transform
  using value_type = T;

  /// Cancels it after that time, counted from when it is awaited: the result is then
  /// std::errc::timed_out, unless it was done by then. std::errc::not_enough_memory: there is none for
  /// one more deadline, and it has not begun.
  template <class Rep, class Period>
  Derived&& timeout(std::chrono::duration<Rep, Period> limit) && noexcept {
    return std::move(self().timeout(limit));
  }
  template <class Rep, class Period>
  Derived& timeout(std::chrono::duration<Rep, Period> limit) & noexcept {
    this->time = to_nanoseconds(limit);
    return self();
  }

  /// Cancels it once the token says so: the result is then std::errc::operation_canceled, unless
  /// it was done by then.
  Derived&& stop_on(std::stop_token stop) && noexcept {
    return std::move(self().stop_on(std::move(stop)));
  }
  Derived& stop_on(std::stop_token stop) & noexcept {
    this->token = std::move(stop);
    return self();
  }

  /// Has the program's own ring run it: see reactor.hpp.
  Derived&& on(Reactor& reactor) && noexcept { return std::move(self().on(reactor)); }
  Derived& on(Reactor& reactor) & noexcept {
    this->wanted_hub = &hub_of(reactor);
    return self();
  }

  bool await_ready() const noexcept { return false; }

  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame_handle) noexcept {
    static_assert(std::is_base_of_v<TaskNode, P>,
                  "co_await of a weft::io operation works inside a weft::Task only");
    self().prepare();
    return start(*this, &frame_handle.promise());
  }

  Result<T> await_resume() { return result_of<T>(*this); }

  /// Nothing to do, for most.
  void prepare() noexcept {}

 protected:
  void entry(std::uint8_t opcode, int fd, const void* address = nullptr, std::size_t length = 0,
             std::uint64_t offset = 0) noexcept {
    this->sqe().opcode = opcode;
    this->sqe().fd = fd;
    this->sqe().off = offset;
    point_to(address);
    this->sqe().len = clamped(length);
  }
  void entry(std::uint8_t opcode, BorrowedFd fd, const void* address = nullptr,
             std::size_t length = 0, std::uint64_t offset = 0) noexcept {
    entry(opcode, fd.get(), address, length, offset);
    this->keep(fd);
  }
  void point_to(const void* address) noexcept {
    this->sqe().addr = reinterpret_cast<std::uintptr_t>(address);
  }
  /// As the system calls do: at most 2 GiB less a page at once.
  static std::uint32_t clamped(std::size_t length) noexcept {
    constexpr std::size_t kMost = 0x7FFF'F000;
    return static_cast<std::uint32_t>(length < kMost ? length : kMost);
  }

 private:
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

}  // namespace weft::io::detail
