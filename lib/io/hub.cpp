// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A hub and its thread: from the first to the last of its turns.
#include "io/hub.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"
#include "weft/io/link.hpp"

namespace weft::io::detail {

constinit thread_local Hub* current_hub = nullptr;

Nanoseconds now() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Nanoseconds after(Nanoseconds time) noexcept {
  const Nanoseconds at = now();
  return time < kNever - at ? at + time : kNever - 1;
}

Hub::~Hub() {
  if (pool_ != nullptr) return;
  if (active()) stop_watching(*this);
  posters_.await_end();
  driver_.reset();
  if (event_ >= 0) ::close(event_);
}

Helpers& Hub::helpers(const Operation& op) noexcept {
  if (pool_ != nullptr) return *pool_->helpers;
  const TaskNode* const frame = op.chain() != nullptr ? op.chain()->frame : op.frame;
  return *frame->scope->pool.helpers;
}

void Hub::bind_to_this_thread() noexcept {
  current_hub = this;
  Parker* const own = &weft::detail::parker_of_this_thread();
  sleeper_.thread = own;
  parker_.store(own, release);  // pairs with parker()
}

void Hub::leave_thread() noexcept {
  if (active()) stop_watching(*this);
  leave_streams();
  driver_.reset();
  if (event_ >= 0) {
    // Whoever woke us from the driver may not have signalled yet.
    while (signals_ > 0) {
      std::uint64_t some = 0;
      if (::read(event_, &some, sizeof some) == sizeof some) {
        signals_ -= static_cast<std::int64_t>(some);
      } else if (errno != EINTR) {
        break;
      }
    }
    ::close(event_);
  }
  current_hub = nullptr;
}

bool Hub::activate() noexcept {
  if (driver_ != nullptr) return true;
  // Also if it fails: a thread whose worker has a hub sleeps as a listed one, and is to be found.
  if (!std::exchange(listed_, true)) pool_->idle.list(sleeper_);
  if (event_ < 0) event_ = ::eventfd(0, EFD_CLOEXEC);
  if (event_ < 0) {
    no_driver_ = -errno;
    return false;
  }
  try {
    if (ring_usable()) driver_ = make_ring(*this, event_);
    if (driver_ == nullptr) driver_ = make_epoll(*this, event_);
  } catch (const std::system_error& error) {
    no_driver_ = -error.code().value();
    return false;
  } catch (...) {
    no_driver_ = -ENOMEM;
    return false;
  }
  active_.store(true, seq_cst);  // see wake()
  watch_for_drops(*this);
  look_for_dropped_ = any_drops();
  Hub* none = nullptr;
  pool_->first_hub.compare_exchange_strong(none, this, release, relaxed);  // pairs with io_home
  return true;
}

void Hub::adopt(io_uring& theirs) {
  event_ = ::eventfd(0, EFD_CLOEXEC);
  if (event_ < 0) throw std::system_error(errno, std::system_category(), "weft: eventfd");
  driver_ = adopt_ring(*this, event_, theirs);
  active_.store(true, relaxed);  // relaxed: nobody knows it yet
  watch_for_drops(*this);
}

bool Hub::dispatch(const io_uring_cqe& cqe) noexcept {
  const bool ours = driver_->dispatch(cqe);
  if (ours) deliver();
  return ours;
}

// ---- turns and rest ------------------------------------------------------------------------

bool Hub::due(bool frame_next) noexcept {
  if (has_mail() || look_for_dropped_) return true;
  if (driver_ == nullptr) return false;
  if (++tasks_since_turn_ >= kMostTasks) return true;
  if (turn_by_ == kNever) {
    const bool ready = driver_->ready();
    if (!ready && timers_.empty()) return false;
    // Not so soon again: a system call for each that comes while others run costs more than it gains.
    if (ready) turn_soon();
  }
  if (frame_next && tasks_since_turn_ < next_look_) return false;
  const Nanoseconds at = now();
  const Nanoseconds by = timers_.empty() ? turn_by_ : std::min(turn_by_, timers_.next());
  if (at >= by) return true;
  // At the pace so far they take a quarter of what is left, or less.
  const bool soon = 4 * kUnseen * (at - turned_at_) >= std::min(by - at, kMostDelay) * tasks_since_turn_;
  next_look_ = tasks_since_turn_ + 1 + (soon ? 0 : kUnseen);
  return false;
}

void Hub::turn_between_tasks(const Worker& w) noexcept {
  delay_ = w.tasks_wait() ? kLeastDelay : std::min(2 * delay_, kMostDelay);
  turn();
}

void Hub::turn() noexcept {
  work(true);
  deliver();
}

void Hub::turn_at_rest(bool sleeps_next) noexcept {
  work_at_rest(!sleeps_next);
  deliver();
}

void Hub::before_search(Worker& w) noexcept {
  if (ready_ != nullptr || ready_at_once_ < kTrusted || !unsubmitted()) return deliver();
  delay_ = kLeastDelay;
  work_at_rest(true);
  TaskNode* const frame = ready_;
  if (frame == nullptr || frame->link != nullptr || &frame->scope->pool != pool_) return deliver();
  // Alone it is next: there is nothing for others to take.
  ready_ = nullptr;
  ready_end_ = &ready_;
  weft::detail::unlist_parked(frame);
  w.next = frame;
}

void Hub::work_at_rest(bool submit) noexcept {
  const bool begins = submit && unsubmitted();
  work(submit);
  if (begins) ready_at_once_ = ready_ != nullptr ? std::min(ready_at_once_ + 1, kTrusted) : 0;
}

void Hub::work(bool submit) noexcept {
  tasks_since_turn_ = 0;
  next_look_ = 0;
  read_mail();
  if (driver_ != nullptr) {
    look_at_shelves();
    // Not twice in a row: what that has made ready may come between us and the sleep, time and again.
    submit = submit || left_out_;
    left_out_ = !submit;
    driver_->poll(submit);
    expire();
    if (look_for_dropped_) [[unlikely]] cancel_dropped();
    // Reading the clock takes as long as the rest of a turn in which nothing happens.
    if (submit) {
      handed_over();
    } else if (due_again()) {
      turn_soon();
    }
  }
}

void Hub::handed_over() noexcept {
  left_out_ = false;
  turned_at_ = now();
  turn_by_ = kNever;
  if (due_again()) turn_soon();
}

bool Hub::due_again() const noexcept {
  return driver_->unsubmitted() || (in_use() && !driver_->tells());
}

Nanoseconds Hub::until_next_deadline() const noexcept {
  if (timers_.empty()) return kNever;
  const Nanoseconds at = now();
  const Nanoseconds deadline = timers_.next();
  return deadline > at ? deadline - at : 0;
}

bool Hub::expects_soon() noexcept {
  delay_ = kLeastDelay;
  if (!in_use()) return false;
  if (driver_ == nullptr || !driver_->tells()) return false;  // looking would be a system call
  // For a deadline that is known one need not look.
  if (!timers_.empty() && timers_.next() < now() + Patience::kLook) return false;
  const bool looks = patience_.looks();
  if (looks) turn_at_rest(false);  // what was started does not wait for the sleep
  patience_.begin(looks ? turned_at_ : now());
  return looks;
}

bool Hub::looked_enough() const noexcept { return patience_.over(now()); }

void Hub::sleep() noexcept {
  Parker& own = *parker_.load(relaxed);  // relaxed: our own store
  patience_.sleeps();
  if (!in_use()) return own.park();
  if (!own.begin_driver_sleep(event_)) return;
  driver_->wait(until_next_deadline());
  signals_ += own.end_driver_sleep();
  handed_over();
  patience_.woke(turned_at_);
}

void Hub::deliver() noexcept {
  TaskNode* oldest_first = std::exchange(ready_, nullptr);
  if (oldest_first == nullptr) return;
  ready_end_ = &ready_;
  Worker* const w = weft::detail::current_worker;
  while (oldest_first != nullptr) {
    TaskNode* const frame = oldest_first;
    oldest_first = frame->link;
    PoolState& its_pool = frame->scope->pool;  // another one's, if it awaited a stream of ours
    weft::detail::unlist_parked(frame);
    if (w != nullptr && &w->pool == &its_pool) {
      w->keep_ready(frame);
    } else {
      its_pool.bring_back(frame);
    }
  }
  if (w != nullptr) w->share_ready();
}

}  // namespace weft::io::detail
