// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The I/O of one thread of a pool. `docs/design/io.md`, `docs/design/io-parking.md`.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "io/driver.hpp"
#include "io/drops.hpp"
#include "io/inbox.hpp"
#include "io/patience.hpp"
#include "io/timer_heap.hpp"
#include "weft/detail/eventcount.hpp"
#include "weft/detail/parker.hpp"
#include "weft/detail/visits.hpp"
#include "weft/io/operation.hpp"

namespace weft::detail {
struct PoolState;
struct Worker;
}

namespace weft::io::detail {

using weft::detail::acq_rel;
using weft::detail::acquire;
using weft::detail::Atomic;
using weft::detail::relaxed;
using weft::detail::release;
using weft::detail::seq_cst;
using weft::detail::Parker;
using weft::detail::PoolState;
using weft::detail::Worker;

class Helpers;
class Shelf;
class StreamState;

/// Starts a thread's operations, runs their timers, and makes their frames ready. It has no driver,
/// and costs nothing, until the first operation comes.
///
/// A hub belongs to a thread, not to a worker: it goes on when its thread blocks in a sync or rests.
/// Others reach it through its inbox.
class Hub : public Listed<Hub> {
 public:
  explicit Hub(PoolState& pool) noexcept : pool_(&pool) {}
  /// Of a Reactor: its thread is whichever drives that.
  Hub() noexcept : pool_(nullptr) {}
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  ~Hub();

  // ---- its thread

  /// First of all.
  void bind_to_this_thread() noexcept;
  /// Last of all, with nothing in flight.
  void leave_thread() noexcept;

  void start(Operation& op) noexcept;
  /// Does all that is to be done now: messages, submission, completions, timers; and delivers.
  void turn() noexcept;
  /// The same where nothing else is to be done.
  /// \param sleeps_next `sleep` follows if nothing is ready: what was started may wait for that
  void turn_at_rest(bool sleeps_next) noexcept;
  /// Between two tasks of that worker: a turn, if one is due.
  /// \param frame_next what comes next is one that I/O made ready: most of those are short
  void between_tasks(const Worker& w, bool frame_next) noexcept {
    if (due(frame_next)) {
      turn_between_tasks(w);
    } else if (ready_ != nullptr) [[unlikely]] {  // some end as they start
      deliver();
    }
  }
  /// Nothing else is to be done, and a search comes next. There need not be one where a turn before it has been
  /// making frames ready: often what is read ends as it is submitted.
  void before_search(Worker& w) noexcept;
  /// Between two looks for a task.
  void between_searches() noexcept {
    if (due(false) || (driver_ != nullptr && driver_->ready())) turn();
  }
  /// There is no task. \return true: look on until `looked_enough`, something may come soon
  bool expects_soon() noexcept;
  bool looked_enough() const noexcept;
  /// Frames that are ready go to the worker which this thread serves, or to the pool.
  void deliver() noexcept;
  /// Sleeps until something has ended, or the thread was unparked. To be followed by a turn, after
  /// one that followed the caller's announcement, if any.
  void sleep() noexcept;
  /// True if it has ever had an operation.
  bool active() const noexcept { return active_.load(relaxed); }  // relaxed: our own, or soon is enough
  /// Relaxed: a look between tasks; before it sleeps, the thread is unparked for it.
  bool has_mail() const noexcept { return inbox_.has_new(); }
  /// True if something is in flight.
  bool in_use() const noexcept { return operations_ != nullptr || streams_ != nullptr; }
  /// True if operations wait for a turn to begin.
  bool unsubmitted() const noexcept { return driver_ != nullptr && driver_->unsubmitted(); }
  weft::detail::ListedSleeper& sleeper() noexcept { return sleeper_; }

  Helpers& helpers(const Operation& op) noexcept;

  /// From the driver: a completion.
  void completed(Operation& op, std::int32_t result) noexcept;
  /// The same, of one that did not begin: a close is left to its Fd's destructor.
  void refuse(Operation& op, std::int32_t error) noexcept;
  /// From the driver: a completion that is not the last one. Of a stream.
  void progressed(Operation& stream) noexcept;

  /// Has it end: the driver is asked, and `reason` noted.
  void cancel(Operation& op, Reason reason) noexcept;
  bool closed() const noexcept { return closed_; }

  /// Of a node that nobody can post any more. \return what was posted and not read
  std::uint32_t leave_inbox(InboxNode& node) noexcept { return inbox_.clear(node); }

  // For a Reactor
  void adopt(io_uring& theirs);  ///< \throws std::system_error
  bool dispatch(const io_uring_cqe& cqe) noexcept;
  /// After a turn: what that has made is submitted, too.
  void submit() noexcept {
    driver_->submit(timers_.empty() ? kNever : timers_.next());
  }
  bool idle() const noexcept {
    return operations_ == nullptr && streams_ == nullptr && inbox_.empty();
  }

  bool of_pool() const noexcept { return pool_ != nullptr; }

  // For the parts of a chain
  void begin(Operation& op) noexcept;
  /// \return false: it cannot, nothing has begun
  bool start_linked(std::span<Operation* const> parts) noexcept;

  /// For what decides itself when to start: it has an entry now.
  void give_to_driver(Operation& op) noexcept;

  // For streams and their buffers: hub_streams.cpp
  void add(StreamState& stream) noexcept;
  void remove(StreamState& stream) noexcept;
  void run(StreamState& stream) noexcept;
  /// \return true: it had not begun, and no completion will come
  bool interrupt(StreamState& stream) noexcept;
  bool multishot() const noexcept;
  /// \return false: there is no memory for it, and it has none now
  bool set_deadline(Operation& op, Nanoseconds at) noexcept;
  /// Starts the waits for a stream that are in the inbox.
  void start_mail_of(StreamState& stream) noexcept;
  void add(Shelf& shelf) noexcept;
  void remove(Shelf& shelf) noexcept;
  /// Has the kernel choose from a ring of buffers. \return false: it cannot
  bool provide(void* ring, unsigned entries, std::uint16_t& group) noexcept;
  void stop_providing(std::uint16_t group) noexcept;

  // ---- any thread

  /// Sets bits of a node that belongs to this hub, and sees to it that the hub looks.
  void post(InboxNode& node, std::uint32_t bits) noexcept;
  /// Puts an operation in whose bits are kQueued and kStart at least. The hub owns it then.
  void post_new(Operation& op) noexcept;
  /// Looks for operations of who is to end.
  void post_drop() noexcept { post(control_, InboxNode::kDrop); }
  /// Acquire: pairs with bind_to_this_thread.
  Parker* parker() const noexcept { return parker_.load(acquire); }

 private:
  bool due(bool frame_next) noexcept;
  void turn_between_tasks(const Worker& w) noexcept;
  void work(bool submit) noexcept;
  void work_at_rest(bool submit) noexcept;
  /// A submission is over: the delay of the next one begins.
  void handed_over() noexcept;
  bool due_again() const noexcept;
  /// Something waits for a turn.
  void turn_soon() noexcept {
    if (turn_by_ == kNever) turn_by_ = turned_at_ + delay_;
  }
  bool activate() noexcept;
  void wake(bool was_empty) noexcept;
  void read_mail() noexcept;
  void dispatch(Operation& op) noexcept;
  /// An operation starts while something is to end.
  void heed_drops(Operation& op) noexcept;
  bool ends() const noexcept;  ///< the pool
  template <class F>
  void for_each(F f) noexcept;
  void cancel_all() noexcept;
  void cancel_dropped() noexcept;
  void cancel_streams() noexcept;
  void leave_streams() noexcept;
  void look_at_shelves() noexcept;
  void read_mail_of(Shelf& shelf, std::uint32_t news) noexcept;
  void expire() noexcept;
  void end(Operation& op) noexcept;
  Nanoseconds until_next_deadline() const noexcept;

  // As an upper bound between two submissions of a busy worker. While frame follows frame and no task waits,
  // the time doubles from the least to the most with each turn between two of them: a crowd of connections
  // is served in few batches. It begins anew when a task waits, or when there is nothing to do.
  static constexpr unsigned kMostTasks = 512;
  static constexpr Nanoseconds kLeastDelay = 30'000;
  static constexpr Nanoseconds kMostDelay = 200'000;
  // Short frames between two looks at the clock, which takes as long as some of them.
  static constexpr unsigned kUnseen = 3;
  // After so many submissions that made a frame ready at once, the next one is expected to.
  static constexpr unsigned kTrusted = 4;

  PoolState* const pool_;
  Inbox<InboxNode> inbox_;
  Atomic<Parker*> parker_{nullptr};
  Atomic<bool> active_{false};
  weft::detail::Visits posters_;  // of a Reactor's hub; a pool keeps its own
  InboxNode control_;  // for what concerns the hub itself

  // Its thread's:
  std::unique_ptr<Driver> driver_;
  std::int32_t no_driver_ = 0;         // why, an error number negated
  Operation* operations_ = nullptr;    // all that have started and not ended, but waits: their streams know those
  StreamState* streams_ = nullptr;     // not among `operations_`
  Shelf* shelves_ = nullptr;
  std::uint16_t last_group_ = 0;
  TimerHeap timers_;
  TaskNode* ready_ = nullptr;  // frames to resume, oldest first, by `link`
  TaskNode** ready_end_ = &ready_;
  std::uint32_t generation_ = 0;
  unsigned tasks_since_turn_ = 0;
  unsigned next_look_ = 0;  // at the clock, by tasks_since_turn_
  Nanoseconds turned_at_ = 0;  // or slept: when all was handed over
  Nanoseconds turn_by_ = kNever;
  Nanoseconds delay_ = kLeastDelay;
  bool left_out_ = false;  // a submission by the last turn, for the sake of the sleep to come
  unsigned ready_at_once_ = 0;  // submissions at rest, in a row, after which a frame was ready; up to kTrusted
  Patience patience_;
  bool listed_ = false;  // among the pool's sleepers
  bool closed_ = false;
  bool look_for_dropped_ = false;
  int event_ = -1;
  std::int64_t signals_ = 0;  // of the event, as Parker::end_driver_sleep counts them
  weft::detail::ListedSleeper sleeper_;
};

/// The hub of this thread, or nullptr outside of pools.
extern constinit thread_local Hub* current_hub __attribute__((tls_model("initial-exec")));

/// From here on the operation's token, if it has one, stops it.
void heed_token(Operation& op) noexcept;
/// No more. Waits for a callback that runs on another thread.
void ignore_token(Operation& op) noexcept;

/// Steady clock. In nanoseconds.
Nanoseconds now() noexcept;
/// That much later, but not as late as kNever.
Nanoseconds after(Nanoseconds time) noexcept;

}  // namespace weft::io::detail
