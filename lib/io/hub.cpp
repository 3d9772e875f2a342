// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/hub.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "io/drops.hpp"
#include "io/helpers.hpp"
#include "io/shelf.hpp"
#include "io/stream.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"
#include "weft/io/link.hpp"

namespace weft::io::detail {

constinit thread_local Hub* current_hub = nullptr;

namespace {

bool closes(const Operation& op) noexcept {
  return op.kind == Kind::kEntry && op.sqe().opcode == IORING_OP_CLOSE;
}

}  // namespace

Nanoseconds now() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Hub::~Hub() {
  if (pool_ != nullptr) return;
  posters_.await_end();
  driver_.reset();
  if (event_ >= 0) ::close(event_);
}

Helpers& Hub::helpers(const Operation& op) noexcept {
  if (pool_ != nullptr) return *pool_->helpers;
  const TaskNode* const frame = op.chain != nullptr ? op.chain->frame : op.frame;
  return *frame->scope->pool.helpers;
}

void Hub::bind_to_this_thread() noexcept {
  current_hub = this;
  Parker* const own = &weft::detail::parker_of_this_thread();
  sleeper_.thread = own;
  parker_.store(own, release);  // pairs with parker()
}

void Hub::leave_thread() noexcept {
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
  try {
    if (event_ < 0) event_ = ::eventfd(0, EFD_CLOEXEC);
    if (event_ < 0) throw std::system_error(errno, std::system_category());
    if (ring_usable()) driver_ = make_ring(*this, event_);
    if (driver_ == nullptr) driver_ = make_epoll(*this, event_);
  } catch (const std::system_error& error) {
    no_driver_ = -error.code().value();
    return false;
  } catch (...) {
    no_driver_ = -ENOMEM;
    return false;
  }
  // Seq_cst, both: whoever closes or drops does the same the other way round, so that either we
  // see it, or it sees us.
  active_.store(true, seq_cst);
  closed_ = pool_->io_closing.load(seq_cst);
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
}

bool Hub::dispatch(const io_uring_cqe& cqe) noexcept {
  const bool ours = driver_->dispatch(cqe);
  if (ours) deliver();
  return ours;
}

// ---- the inbox -----------------------------------------------------------------------------

bool Hub::push(InboxNode& node) noexcept {
  InboxNode* head = inbox_.load(relaxed);  // relaxed: a guess for the exchange
  do {
    node.next_in_inbox = head;
  } while (!inbox_.compare_exchange_weak(head, &node, release, relaxed));  // pairs with take_mail
  return head == nullptr;
}

void Hub::wake(bool was_empty) noexcept {
  if (pool_ == nullptr) {  // a reactor's: whoever pushed first since it took its mail wakes it
    const std::uint64_t one = 1;
    if (was_empty) (void)!::write(event_, &one, sizeof one);
    return;
  }
  // Seq_cst: see activate(). A hub that we still see inactive may sleep in any place.
  Parker* const thread = parker();
  if (thread != nullptr) thread->unpark();
  if (!active_.load(seq_cst)) pool_->idle.wake_all();
}

void Hub::post(InboxNode& node, std::uint32_t bits) noexcept {
  if (pool_ == nullptr) posters_.enter();
  // Acq_rel: the bits say what is to be done; in the total order with the hub's taking them.
  const std::uint32_t before =
      node.news.fetch_or(bits | InboxNode::kQueued, acq_rel);
  const bool was_empty = (before & InboxNode::kQueued) == 0 && push(node);
  wake(was_empty);
  if (pool_ == nullptr) posters_.leave();
}

void Hub::post_new(Operation& op) noexcept {
  // Once it is pushed it may end, and with it the pool, if it is another one than the caller's.
  const weft::detail::Visits::Visit visit(pool_ == nullptr ? posters_ : pool_->visits);
  wake(push(op));
}

void Hub::post_if_active(std::uint32_t bits) noexcept {
  if (active_.load(seq_cst)) post(control_, bits);  // seq_cst: see activate()
}

void Hub::take_mail() noexcept {
  if (!has_mail()) return;
  InboxNode* newest_first = inbox_.exchange(nullptr, acquire);  // acquire: pairs with push
  InboxNode* oldest_first = nullptr;
  InboxNode** const end = newest_first == nullptr ? mail_end_ : &newest_first->next_in_inbox;
  while (newest_first != nullptr) {
    InboxNode* const node = newest_first;
    newest_first = node->next_in_inbox;
    node->next_in_inbox = oldest_first;
    oldest_first = node;
  }
  *mail_end_ = oldest_first;
  mail_end_ = end;
}

void Hub::read_mail() noexcept {
  take_mail();
  if (mail_ == nullptr) return;
  (void)activate();
  while (mail_ != nullptr) {
    InboxNode& node = *mail_;
    mail_ = node.next_in_inbox;
    if (mail_ == nullptr) mail_end_ = &mail_;
    // Acq_rel: see post(). From here on the node may be posted again.
    const std::uint32_t news = node.news.exchange(0, acq_rel);
    if ((news & InboxNode::kClose) != 0) cancel_all();
    if ((news & InboxNode::kDrop) != 0) look_for_dropped_ = true;
    if (&node == &control_) continue;
    if ((news & (InboxNode::kBufferBack | InboxNode::kPoolDropped)) != 0) {
      read_mail_of(static_cast<Shelf&>(node), news);
      continue;
    }
    auto& op = static_cast<Operation&>(node);
    if ((news & InboxNode::kStreamDropped) != 0) {
      static_cast<StreamState&>(op).dropped();
    } else if ((news & InboxNode::kFinished) != 0) {
      if ((news & InboxNode::kStop) != 0 && op.reason == Reason::kNone) op.reason = Reason::kStopped;
      completed(op, op.result);
    } else if ((news & InboxNode::kStart) != 0) {
      if ((news & InboxNode::kStop) != 0) op.reason = Reason::kStopped;
      start(op);
    } else if ((news & InboxNode::kStop) != 0) {
      cancel(op, Reason::kStopped);
    }
  }
}

void Hub::leave_inbox(InboxNode& node) noexcept {
  // Acquire: pairs with post(), of whoever cannot post any more.
  if ((node.news.load(acquire) & InboxNode::kQueued) == 0) return;
  take_mail();
  InboxNode** at = &mail_;
  while (*at != &node) at = &(*at)->next_in_inbox;
  *at = node.next_in_inbox;
  if (*at == nullptr) mail_end_ = at;
}

// ---- the life of an operation --------------------------------------------------------------

void Hub::start(Operation& op) noexcept {
  const bool usable = activate();
  Worker* const w = weft::detail::current_worker;
  if (w != nullptr && pool_ != nullptr) w->io = this;
  op.previous = nullptr;
  op.next = operations_;
  if (operations_ != nullptr) operations_->previous = &op;
  operations_ = &op;
  if (any_drops()) [[unlikely]] look_for_dropped_ = true;
  // A close that did not begin is left to its Fd's destructor.
  if (!usable) return completed(op, closes(op) ? -ECANCELED : no_driver_);
  begin(op);
}

void Hub::begin(Operation& op) noexcept {
  op.generation = ++generation_;
  op.linked = false;
  if (op.kind == Kind::kWait) op.stream->join(*this);
  if (closed_ && op.kind != Kind::kWait) op.reason = Reason::kStopped;  // a stream says so, then ends
  if (op.reason != Reason::kNone) return completed(op, -ECANCELED);
  if (op.time != kNever) {
    const Nanoseconds at = now();
    op.deadline = op.time < kNever - at ? at + op.time : kNever - 1;
    timers_.add(op);
  }
  dispatch(op);
}

bool Hub::start_linked(std::span<Operation* const> parts) noexcept {
  for (Operation* const op : parts) op->generation = ++generation_;
  if (!driver_->start_linked(parts)) return false;
  if (turn_by_ == kNever) turn_by_ = now() + kMostDelay;
  return true;
}

void Hub::dispatch(Operation& op) noexcept {
  switch (op.kind) {
    case Kind::kTimer: return;
    case Kind::kCall: return helpers(op).run(op);
    case Kind::kWait: return op.stream->wait(static_cast<NextBase&>(op));
    case Kind::kStream: return;  // has a way of its own
    case Kind::kChain: return static_cast<Chain&>(op).begin();
    case Kind::kEntry:
      driver_->start(op);
      if (turn_by_ == kNever) turn_by_ = now() + kMostDelay;
  }
}

void Hub::completed(Operation& op, std::int32_t result) noexcept {
  op.place = Place::kNowhere;
  // Linux closes it all the same, and by now the number may be another file's.
  if (result == -EINTR && closes(op)) result = 0;
  op.result = result;
  if (op.kind == Kind::kStream) return static_cast<StreamState&>(op).completed(false);
  const bool goes_on = op.reason == Reason::kNone;
  const bool interrupted = result == -EINTR && goes_on && !op.linked;
  if (interrupted || (op.step != nullptr && (result >= 0 || goes_on) && op.step(op))) {
    if (goes_on) return dispatch(op);
    op.result = -ECANCELED;  // it has been, between two steps
  }
  end(op);
}

void Hub::progressed(Operation& stream) noexcept {
  static_cast<StreamState&>(stream).completed(true);
}

void Hub::cancel(Operation& op, Reason reason) noexcept {
  if (op.reason != Reason::kNone) return;  // is being
  op.reason = reason;
  switch (op.kind) {
    case Kind::kTimer: return completed(op, -ECANCELED);
    case Kind::kCall:
      if (helpers(op).withdraw(op)) completed(op, -ECANCELED);
      return;
    case Kind::kWait:
      op.stream->stop_waiting(static_cast<NextBase&>(op));
      return completed(op, -ECANCELED);
    case Kind::kStream: return static_cast<StreamState&>(op).stop();
    case Kind::kChain: return static_cast<Chain&>(op).cancel_parts();
    case Kind::kEntry:
      if (driver_->cancel(op)) completed(op, -ECANCELED);
  }
}

void Hub::cancel_all() noexcept {
  closed_ = true;
  for (Operation* op = operations_; op != nullptr;) {
    Operation& one = *op;
    op = op->next;
    cancel(one, Reason::kStopped);
  }
  cancel_streams();
}

void Hub::cancel_dropped() noexcept {
  look_for_dropped_ = false;
  const DropsView drops;
  if (drops.empty()) return;
  for (Operation* op = operations_; op != nullptr;) {
    Operation& one = *op;
    op = op->next;
    if (drops.waited_for_by(one.frame)) cancel(one, Reason::kStopped);
  }
}

void Hub::expire() noexcept {
  if (timers_.empty()) return;
  const Nanoseconds at = now();
  while (!timers_.empty() && timers_.first().deadline <= at) {
    Operation& op = timers_.first();
    timers_.remove(op);
    op.deadline = kNever;
    if (op.kind == Kind::kTimer) {
      completed(op, 0);
    } else if (op.kind == Kind::kStream) {
      static_cast<StreamState&>(op).expired(at);
    } else {
      cancel(op, Reason::kTimedOut);
    }
  }
}

void Hub::end(Operation& op) noexcept {
  if (op.reason != Reason::kNone && (op.result == -ECANCELED || op.result == -EINTR)) {
    op.result = op.reason == Reason::kTimedOut ? -ETIMEDOUT : -ECANCELED;
  }
  if (op.deadline != kNever) timers_.remove(op);
  op.on_stop.reset();  // waits for a callback that runs on another thread: nobody posts it any more
  leave_inbox(op);
  if (op.chain != nullptr) return op.chain->part_ended(op);
  (op.previous != nullptr ? op.previous->next : operations_) = op.next;
  if (op.next != nullptr) op.next->previous = op.previous;
  TaskNode* const frame = op.frame;
  frame->link = nullptr;
  *ready_end_ = frame;
  ready_end_ = &frame->link;
}

void Hub::deliver() noexcept {
  TaskNode* oldest_first = std::exchange(ready_, nullptr);
  if (oldest_first == nullptr) return;
  ready_end_ = &ready_;
  Worker* const w = weft::detail::current_worker;
  if (w == nullptr) {
    while (oldest_first != nullptr) {
      TaskNode* const frame = oldest_first;
      oldest_first = frame->link;
      weft::detail::resume_on_own_pool(frame);
    }
    return;
  }
  // Newest first into the queue, so that both we and thieves go on by age.
  TaskNode* newest_first = nullptr;
  batch_ = 0;
  for (; oldest_first != nullptr; batch_ += 2) {  // each, and one that has waited for longer
    TaskNode* const frame = oldest_first;
    oldest_first = frame->link;
    frame->link = newest_first;
    newest_first = frame;
  }
  while (newest_first != nullptr) {
    TaskNode* const frame = newest_first;
    newest_first = frame->link;
    if (&frame->scope->pool != pool_) [[unlikely]] {  // awaited a stream of ours
      weft::detail::resume_on_own_pool(frame);
      continue;
    }
    weft::detail::unlist_parked(frame);
    w->keep(frame);
  }
  w->notify_if_idle();
}

// ---- turns and rest ------------------------------------------------------------------------

bool Hub::due() noexcept {
  if (has_mail() || (ready_ != nullptr && batch_ == 0) || look_for_dropped_) return true;
  if (driver_ == nullptr) return false;
  if (++tasks_since_turn_ >= kMostTasks) return true;
  const bool ready = driver_->ready();
  if (!ready && turn_by_ == kNever && timers_.empty()) return false;
  const Nanoseconds at = now();
  // Not at once: a system call for each that comes while others run costs more than it gains.
  if (ready && turn_by_ == kNever) turn_by_ = at + kMostDelay;
  return at >= turn_by_ || (!timers_.empty() && at >= timers_.first().deadline);
}

void Hub::turn(bool sleeps_next) noexcept {
  work(!sleeps_next);
  deliver();
}

void Hub::turn_between_tasks() noexcept {
  work(true);
  // Newer frames would lie on top of those that were ready before, which would wait for ever. But
  // they are not kept from whoever has nothing to do.
  if (batch_ == 0 || pool_->idle.num_sleepers() + pool_->idle.num_searchers() != 0) deliver();
}

void Hub::work(bool submit) noexcept {
  tasks_since_turn_ = 0;
  read_mail();
  if (driver_ != nullptr) {
    look_at_shelves();
    driver_->poll(submit);
    expire();
    if (look_for_dropped_) [[unlikely]] cancel_dropped();
    const bool again = driver_->unsubmitted() || (operations_ != nullptr && !driver_->tells());
    turn_by_ = again ? now() + kMostDelay : kNever;
  }
}

Nanoseconds Hub::until_next_deadline() const noexcept {
  if (timers_.empty()) return kNever;
  const Nanoseconds at = now();
  const Nanoseconds deadline = timers_.first().deadline;
  return deadline > at ? deadline - at : 0;
}

bool Hub::expects_soon() noexcept {
  if (operations_ == nullptr && streams_ == nullptr) return false;
  if (driver_ == nullptr || !driver_->tells()) return false;  // looking would be a system call
  const Nanoseconds at = now();
  // For a deadline that is known one need not look.
  if (!timers_.empty() && timers_.first().deadline < at + Patience::kLook) return false;
  if (!patience_.begin(at)) return false;
  turn();  // what was started does not wait for the sleep
  return true;
}

bool Hub::looked_enough() const noexcept { return patience_.over(now()); }

void Hub::sleep() noexcept {
  Parker& own = *parker_.load(relaxed);  // relaxed: our own store
  patience_.sleeps();
  if (operations_ == nullptr && streams_ == nullptr) return own.park();
  if (!own.begin_driver_sleep(event_)) return;
  driver_->wait(until_next_deadline());
  signals_ += own.end_driver_sleep();
  patience_.woke(now());
}

// ---- from the awaiting frame ---------------------------------------------------------------

void StopCallback::operator()() const noexcept {
  operation->hub->post(*operation, InboxNode::kStop);
}

bool start(Operation& op, TaskNode* frame) noexcept {
  Worker* const w = weft::detail::current_worker;
  weft::detail::before_foreign_park(frame);
  op.frame = frame;
  Hub* const own = current_hub;
  const bool waits = op.kind == Kind::kWait;  // of a stream, which stays on a pool's hub
  Hub& here = op.wanted_hub != nullptr && !waits ? *op.wanted_hub
              : own != nullptr         ? *own
                                       : w->pool.io_home();
  op.hub = waits ? &op.stream->home(here) : &here;
  const bool outside = op.hub != own;
  if (outside) op.news.store(InboxNode::kQueued | InboxNode::kStart, relaxed);  // nobody knows it yet
  if (op.token.stop_requested()) op.reason = Reason::kStopped;
  if (op.token.stop_possible()) op.on_stop.emplace(std::move(op.token), StopCallback{&op});
  if (!outside) {
    own->start(op);
  } else {
    // Handed over between two tasks, when all that waits for the frame is parked too.
    op.next = w->outside_operations;
    w->outside_operations = &op;
  }
  return true;
}

}  // namespace weft::io::detail
