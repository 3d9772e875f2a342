// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What all operations are to their hub and driver: they live in the frame that awaits them, and stay there
/// until the kernel is done with them. `docs/design/io.md`.

#include <linux/io_uring.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "weft/detail/atomic.hpp"
#include "weft/detail/config.hpp"
#include "weft/detail/task_node.hpp"
#include "weft/io/fd.hpp"
#include "weft/io/fixed_ref.hpp"

namespace weft::io::detail {

using weft::detail::TaskNode;

class Chain;
class Hub;
class Shelf;
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
  kCancelled,   ///< in the kernel, and so is its cancellation, or was
  kHelper,
};

class Operation;

/// Tells an operation's hub that it is to stop; from any thread.
struct StopCallback {
  Operation* operation;
  WEFT_API void operator()() const noexcept;
};

/// What few operations have. It is made when it is needed: the others never touch its memory.
struct Extras {
  Extras() noexcept = default;
  /// As of an Operation.
  Extras(Extras&& other) noexcept
      : time(other.time),
        token(std::move(other.token)),
        wanted_hub(other.wanted_hub),
        file_slot(other.file_slot),
        file_set(std::move(other.file_set)),
        other_set(std::move(other.other_set)) {}
  Extras& operator=(Extras&&) = delete;
  ~Extras() = default;

  Nanoseconds time = kNever;      ///< as given: how long it may take
  Nanoseconds deadline = kNever;  ///< of the steady clock, once started: it is in the hub's heap then
  std::size_t heap_place = 0;     ///< in that heap
  std::stop_token token;
  std::optional<std::stop_callback<StopCallback>> on_stop;
  Hub* wanted_hub = nullptr;  ///< that of a Reactor, or any
  Chain* chain = nullptr;     ///< of which it is a part; then it has no frame
  int file_slot = -1;  ///< if the descriptor is of FixedFiles: its number in the table of a ring, or -1
  FixedRef file_set;   ///< if the descriptor is of FixedFiles: those
  FixedRef other_set;  ///< the FixedBuffers in which the buffer lies, or FixedFiles of a second descriptor
};

/// One operation: all that its hub and its driver need to know, so that nothing is allocated but
/// the heap of deadlines.
/// Movable until it is awaited. From then on until it has ended it belongs to its hub's thread, but
/// for the members of InboxNode.
///
/// Thousands are under way where there are thousands of connections, each on memory that has gone cold
/// since it was used last. So what all of them need comes first, on two cache lines, and what is not
/// needed is not written.
class Operation : public InboxNode {
 public:
  Operation() noexcept { std::memset(entry_, 0, sizeof entry_); }
  /// A wait for an item: it has no entry.
  explicit Operation(StreamState* of) noexcept : kind(Kind::kWait), stream(of) {}
  Operation(Operation&& other) noexcept
      : kind(other.kind), step(other.step), stream(other.stream), done_bytes(other.done_bytes), call(other.call) {
    if (other.has_extras_) {
      std::construct_at(&extras_, std::move(other.extras_));
      has_extras_ = true;
    }
    std::memcpy(entry_, other.entry_, sizeof entry_);
  }
  Operation& operator=(Operation&&) = delete;
  ~Operation() {
    if (has_extras_) [[unlikely]] std::destroy_at(&extras_);
  }

  /// What is to be done, all but `user_data`, which is the driver's.
  io_uring_sqe& sqe() noexcept { return *reinterpret_cast<io_uring_sqe*>(entry_); }
  const io_uring_sqe& sqe() const noexcept {
    return *reinterpret_cast<const io_uring_sqe*>(entry_);
  }

  /// Or nullptr.
  Extras* extras() noexcept { return has_extras_ ? &extras_ : nullptr; }
  const Extras* extras() const noexcept { return has_extras_ ? &extras_ : nullptr; }
  /// Makes them, if there are none.
  Extras& with_extras() noexcept {
    if (!has_extras_) {
      std::construct_at(&extras_);
      has_extras_ = true;
    }
    return extras_;
  }
  Chain* chain() const noexcept { return has_extras_ ? extras_.chain : nullptr; }

  /// For an entry on that descriptor: if it is of FixedFiles, they stay.
  void keep(BorrowedFd fd) noexcept {
    if (fd.set() == nullptr) return;
    with_extras().file_slot = fd.slot();
    with_extras().file_set = FixedRef(fd.set());
  }
  /// The same for a second one, or a buffer of FixedBuffers.
  void keep(FixedSet* other) noexcept {
    if (other != nullptr) with_extras().other_set = FixedRef(other);
  }

  std::int32_t result = 0;  ///< as a completion has it: a value, or an error number negated
  std::uint32_t completion_flags = 0;  ///< of the last completion, where more than `result` counts
  std::uint32_t generation = 0;

  Kind kind = Kind::kEntry;
  Reason reason = Reason::kNone;
  Place place = Place::kNowhere;
  std::uint8_t driver_state = 0;
  bool linked = false;  ///< of a chain: the driver has all of it
  bool ending = false;  ///< the driver was asked to end it, since it was started last
  bool ended = false;   ///< of Kind::kWait: there is no item, and will be none

 private:
  bool has_extras_ = false;

 public:
  TaskNode* frame = nullptr;
  Hub* hub = nullptr;

  /// After each completion, unless it was cancelled. \return true: `sqe` is to be started (again);
  /// false: `result` is that of the operation
  bool (*step)(Operation&) noexcept = nullptr;
  StreamState* stream = nullptr;  ///< of Kind::kWait; from the start on any thread may look at it

  // Written where they are needed:
  Operation* queued_before;  ///< in a queue of the driver's, or a stream's
  Operation* queued_after;
  Shelf* shelf;              ///< of Kind::kWait: of the buffer, if `completion_flags` name one
  Operation* previous;       ///< in the hub's list of all that has started
  Operation* next;           ///< in that list; before, in the list of its outside thread

  std::uint64_t done_bytes = 0;  ///< of an operation that goes on until all is done
  /// Runs on a helper thread, may block. \return as `result`
  std::int32_t (*call)(Operation&) noexcept = nullptr;
  int driver_fd;                ///< of epoll: what it waits for, and
  std::uint32_t driver_events;  ///< which events

 private:
  union {
    Extras extras_;
  };
  // Bytes, because the kernel's struct has a member that ISO C++ allows at no place but the last.
  alignas(io_uring_sqe) std::byte entry_[sizeof(io_uring_sqe)];
};

}  // namespace weft::io::detail
