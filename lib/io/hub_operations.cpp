// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The life of an operation, from the frame that awaits it until that is ready.
#include <cerrno>
#include <utility>

#include "io/helpers.hpp"
#include "io/hub.hpp"
#include "io/linked.hpp"
#include "io/stream.hpp"
#include "weft/detail/foreign_await.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/worker.hpp"
#include "weft/io/link.hpp"
#include "weft/io/receive.hpp"

namespace weft::io::detail {

namespace {

bool closes(const Operation& op) noexcept {
  return op.kind == Kind::kEntry && op.sqe().opcode == IORING_OP_CLOSE;
}

}  // namespace

void Hub::start(Operation& op) noexcept {
  const bool usable = activate();
  Worker* const w = weft::detail::current_worker;
  if (w != nullptr && pool_ != nullptr) w->io = this;
  if (op.kind != Kind::kWait) link_first<&Operation::previous, &Operation::next>(operations_, op);
  if (any_drops() && !closed_) [[unlikely]] heed_drops(op);
  if (!usable) return refuse(op, no_driver_);
  begin(op);
}

void Hub::heed_drops(Operation& op) noexcept {
  look_for_dropped_ = true;
  // No operation begins in a pool that ends. Relaxed, both: set before that was counted as a drop.
  closed_ = ends();
  if (op.kind != Kind::kWait && op.frame->scope->pool.io_closing.load(relaxed)) op.reason = Reason::kStopped;
}

bool Hub::ends() const noexcept { return pool_ != nullptr && pool_->io_closing.load(relaxed); }

void Hub::begin(Operation& op) noexcept {
  op.generation = ++generation_;
  op.linked = false;
  if (op.kind == Kind::kWait) op.stream->join(*this);
  if (closed_ && op.kind != Kind::kWait) op.reason = Reason::kStopped;  // a stream says so, then ends
  if (op.reason != Reason::kNone) return completed(op, -ECANCELED);
  const Extras* const extras = op.extras();
  if (extras != nullptr && extras->time != kNever && !timers_.add(op, after(extras->time))) {
    return refuse(op, -ENOMEM);
  }
  dispatch(op);
}

bool Hub::start_linked(std::span<Operation* const> parts) noexcept {
  for (Operation* const op : parts) op->generation = ++generation_;
  if (!driver_->start_linked(parts)) return false;
  turn_soon();
  return true;
}

void Hub::dispatch(Operation& op) noexcept {
  switch (op.kind) {
    case Kind::kTimer: return;
    case Kind::kCall: return helpers(op).run(op);
    case Kind::kWait: return op.stream->wait(static_cast<NextBase&>(op));
    case Kind::kStream: return;  // has a way of its own
    case Kind::kChain: return static_cast<Chain&>(op).begin();
    case Kind::kReceive: return static_cast<Receive&>(op).begin();
    case Kind::kEntry: return give_to_driver(op);
  }
}

void Hub::give_to_driver(Operation& op) noexcept {
  driver_->start(op);
  turn_soon();
}

void Hub::completed(Operation& op, std::int32_t result) noexcept {
  op.place = Place::kNowhere;
  // Linux closes it all the same, and by now the number may be another file's.
  if (result == -EINTR && closes(op)) result = 0;
  op.result = result;
  if (op.kind == Kind::kStream) return static_cast<StreamState&>(op).completed(false);
  if (op.kind == Kind::kReceive) {
    if (!static_cast<Receive&>(op).goes_on()) end(op);
    return;
  }
  const bool goes_on = op.reason == Reason::kNone;
  const bool interrupted = result == -EINTR && goes_on && !op.linked;
  if (interrupted || (op.step != nullptr && (result >= 0 || goes_on) && op.step(op))) {
    if (goes_on) return dispatch(op);
    op.result = -ECANCELED;  // it has been, between two steps
  }
  end(op);
}

void Hub::refuse(Operation& op, std::int32_t error) noexcept {
  completed(op, closes(op) ? -ECANCELED : error);
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
      if (helpers(op).cancel(op)) completed(op, -ECANCELED);
      return;
    case Kind::kWait:
      op.stream->stop_waiting(static_cast<NextBase&>(op));
      return completed(op, -ECANCELED);
    case Kind::kStream: return static_cast<StreamState&>(op).stop();
    case Kind::kChain: return static_cast<Chain&>(op).cancel_parts();
    case Kind::kReceive:
      if (static_cast<Receive&>(op).stop_missing()) return completed(op, -ECANCELED);
      [[fallthrough]];
    case Kind::kEntry:
      turn_soon();  // the request is to be submitted
      if (driver_->cancel(op)) completed(op, -ECANCELED);
  }
}

// All that have started and not ended; `f` may end what it is given.
template <class F>
void Hub::for_each(F f) noexcept {
  for (Operation* op = operations_; op != nullptr;) f(*std::exchange(op, op->next));
  for (StreamState* s = streams_; s != nullptr; s = s->next_of_hub) {
    for (Operation* op = s->oldest_wait(); op != nullptr;) f(*std::exchange(op, op->queued_after));
  }
}

void Hub::cancel_all() noexcept {
  closed_ = true;
  for_each([this](Operation& op) noexcept { cancel(op, Reason::kStopped); });
  cancel_streams();
}

void Hub::cancel_dropped() noexcept {
  look_for_dropped_ = false;
  if (ends()) return cancel_all();
  const DropsView drops;
  if (drops.empty()) return;
  for_each([&](Operation& op) noexcept {
    if (drops.waited_for_by(*op.frame)) cancel(op, Reason::kStopped);
  });
}

void Hub::expire() noexcept {
  if (timers_.empty()) return;
  const Nanoseconds at = now();
  while (!timers_.empty() && timers_.next() <= at) {
    Operation& op = timers_.first();
    timers_.remove(op);
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
  timers_.remove(op);
  if (op.kind == Kind::kReceive) static_cast<Receive&>(op).leave_shelf();
  ignore_token(op);  // nobody posts it any more
  leave_inbox(op);
  if (Chain* const chain = op.chain()) return chain->part_ended(op);
  if (op.kind != Kind::kWait) unlink<&Operation::previous, &Operation::next>(operations_, op);
  TaskNode* const frame = op.frame;
  frame->link = nullptr;
  *ready_end_ = frame;
  ready_end_ = &frame->link;
}

void heed_token(Operation& op) noexcept {
  Extras* const extras = op.extras();
  if (extras == nullptr || !extras->token.stop_possible()) return;
  extras->on_stop.emplace(std::move(extras->token), StopCallback{&op});
}

void ignore_token(Operation& op) noexcept {
  if (Extras* const extras = op.extras()) extras->on_stop.reset();
}

// ---- from the awaiting frame ---------------------------------------------------------------

void StopCallback::operator()() const noexcept {
  // A wait that is on its way to a hub of another pool, which may be gone: whoever reads it sees the bit.
  // Known by its stream, for `kind` is the hub's, and a connect changes its own. Acq_rel: see Hub::post.
  if (operation->stream != nullptr &&
      (operation->news.fetch_or(InboxNode::kStop, acq_rel) & InboxNode::kQueued) != 0) {
    return;
  }
  operation->hub->post(*operation, InboxNode::kStop);
}

bool start(Operation& op, TaskNode* frame) noexcept {
  Worker* const w = weft::detail::current_worker;
  weft::detail::before_foreign_park(frame);
  op.frame = frame;
  Hub* const own = current_hub;
  const bool waits = op.kind == Kind::kWait;  // of a stream, which stays on a pool's hub
  const Extras* const extras = op.extras();
  Hub* const wanted = extras != nullptr && !waits ? extras->wanted_hub : nullptr;
  Hub& here = wanted != nullptr ? *wanted : own != nullptr ? *own : w->pool.io_home();
  op.hub = waits ? &op.stream->home(here) : &here;
  const bool outside = op.hub != own;
  if (outside) op.news.store(InboxNode::kQueued | InboxNode::kStart, relaxed);  // nobody knows it yet
  if (extras != nullptr) {
    if (extras->token.stop_requested()) op.reason = Reason::kStopped;
    heed_token(op);
  }
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
