// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What streams have in common: who waits, what waits for them, and when the kernel is asked again.
/// `docs/design/io.md`.

#include <cstdint>
#include <vector>

#include "io/hub.hpp"
#include "io/line.hpp"
#include "io/wire.hpp"
#include "weft/io/streams.hpp"

namespace weft::io::detail {

/// One stream. It is on the heap, for it outlives its owner until the kernel's last completion. All of
/// it belongs to the thread of the hub which the first `next()` chose; others post.
///
/// The kernel is asked when somebody waits, nothing is there, and nothing is under way. A multishot
/// request then brings items until the kernel ends it, also while nobody waits.
class StreamState : public Operation {
 public:
  explicit StreamState(BorrowedFd of) noexcept : fd(of.get()) {
    kind = Kind::kStream;
    keep(of);
  }
  virtual ~StreamState() = default;
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  // ---- any thread

  /// The hub it belongs to: `preferred`, if nobody was here before.
  Hub& home(Hub& preferred) noexcept;
  bool take_ready(NextBase& waiter) noexcept;
  /// Starts a wait of another thread's on the hub; or, if that is gone, ends it.
  void send(NextBase& waiter) noexcept;
  /// The owner.
  void cancel() noexcept;
  void drop() noexcept;

  // ---- its hub's thread

  /// Before all else, also if the first `next()` is refused. Nothing, from the second time on.
  void join(Hub& to) noexcept;
  void wait(NextBase& waiter) noexcept;
  void stop_waiting(NextBase& waiter) noexcept { waiting_.remove(waiter); }
  /// The others follow by `queued_after`.
  Operation* oldest_wait() const noexcept { return waiting_.first; }
  /// A completion has come: `result` and `completion_flags`. \param more there are others to come
  void completed(bool more) noexcept;
  /// Its deadline has passed.
  void expired(Nanoseconds at) noexcept;
  /// `reason` says why.
  void stop() noexcept;
  /// It may be gone after that.
  void dropped() noexcept;
  /// A buffer has come back.
  void resume() noexcept;
  /// The hub is about to go. \return true: it has nothing in the kernel, and is no longer the hub's
  bool leave_hub() noexcept;

  StreamState* previous_of_hub = nullptr;
  StreamState* next_of_hub = nullptr;

 protected:
  /// Once, first of all. \return zero or an error number negated, which ends the stream
  virtual std::int32_t begin(Hub&) noexcept { return 0; }
  /// Writes the entry that is to be started. \return false: something is missing; `resume` comes later
  virtual bool prepare() noexcept = 0;
  /// Calls off that `resume`.
  virtual void stop_missing() noexcept {}
  /// Takes a completion that is not a cancellation asked for.
  virtual void take() noexcept = 0;
  /// What was to be started is not.
  virtual void withdrawn() noexcept {}
  /// Nobody wants it any more.
  virtual void discard(std::int32_t item, std::uint32_t item_flags) noexcept = 0;
  virtual Shelf* shelf() noexcept { return nullptr; }
  /// Nothing is in the kernel any more.
  virtual void end() noexcept {}

  /// From take(): an item, or several. \return false: no memory, the stream ends
  bool push(std::int32_t item, std::uint32_t item_flags) noexcept;
  /// No more items will come. \param error its last item, or zero
  void finish(std::int32_t error) noexcept;
  /// The kernel is asked again after a pause only.
  void pause_before_next() noexcept { pause_ = true; }
  /// Has the kernel stop for now: more than enough is here.
  void interrupt() noexcept;
  std::size_t num_items() const noexcept { return items_.size() - first_item_; }

  const int fd;

 private:
  struct Item {
    std::int32_t result;
    std::uint32_t flags;
  };
  void give(NextBase& waiter) noexcept;
  void give(NextBase& waiter, const Item& item) noexcept;
  /// The same, once its hub is gone: any thread, several at a time.
  void give_left_over(NextBase& waiter) noexcept;
  /// After a message that came too late: the hub has touched it for the last time.
  void await_last_touch() noexcept;
  void serve() noexcept;
  void run() noexcept;
  void discard_all() noexcept;
  void remove_and_delete() noexcept;

  std::vector<Item> items_;
  std::size_t first_item_ = 0;
  std::int32_t error_ = 0;  // the last item
  Line waiting_;            // NextBase
  Nanoseconds limit_ = kNever;
  bool joined_ = false;     // it is in the hub's list
  bool running_ = false;    // a completion is to come
  bool cancelling_ = false; // and a cancellation is under way
  bool missing_ = false;    // prepare() could not; resume() comes
  bool pausing_ = false;    // until the deadline
  bool pause_ = false;
  bool finished_ = false;
  bool ownerless_ = false;

  Atomic<Hub*> home_{nullptr};
  Atomic<bool> cancelled_{false};
  Atomic<std::uint32_t> hubless_{0};  // 1: its hub is gone, and it is the owner's
  using Reached = Wire<Hub>::Reached;
  Wire<Hub> wire_;
};

}  // namespace weft::io::detail
