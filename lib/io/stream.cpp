// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/stream.hpp"

#include <atomic>
#include <cerrno>
#include <climits>

#include "weft/detail/foreign_await.hpp"

namespace weft::io::detail {

namespace {

// After an error that only time, or somebody else, can mend.
constexpr Nanoseconds kPause = 10'000'000;

}  // namespace

// ---- any thread ----------------------------------------------------------------------------

Hub& StreamState::home(Hub& preferred) noexcept {
  Hub* none = nullptr;
  // Relaxed: a number; all that is done with it passes through the hub's inbox.
  return home_.compare_exchange_strong(none, &preferred, relaxed, relaxed) ? preferred : *none;
}

bool StreamState::take_ready(NextBase& waiter) noexcept {
  if (hubless_.load(acquire) != 0) {  // pairs with leave_hub: what is left is anybody's who asks
    give_left_over(waiter);
    return true;
  }
  Hub* const home = home_.load(relaxed);  // relaxed: equal only if it is our own
  if (home == nullptr || home != current_hub || !waiting_.empty()) return false;
  if (num_items() == 0 && !(joined_ && finished_)) return false;
  give(waiter);
  return true;
}

void StreamState::cancel() noexcept {
  // Relaxed: if the wire is not connected yet, join() comes after our post, and sees it.
  cancelled_.store(true, relaxed);
  wire_.post(*this, InboxNode::kStop);
}

void StreamState::drop() noexcept {
  Hub* const home = home_.load(relaxed);  // relaxed: as above
  const bool here = home != nullptr && home == current_hub && joined_;
  if (here && hubless_.load(acquire) == 0) {  // acquire: as above. At once: the descriptor may be closed next
    dropped();
  } else if (const Reached reached = wire_.post(*this, InboxNode::kStreamDropped);
             reached != Reached::kHub) {
    if (reached == Reached::kTooLate) await_last_touch();
    discard_all();
    delete this;
  }
}

void StreamState::await_last_touch() noexcept {
  // Acquire: pairs with leave_hub.
  while (hubless_.load(acquire) == 0) weft::detail::futex_wait(hubless_, 0);
}

void StreamState::send(NextBase& waiter) noexcept {
  // Once it is with its hub it may end, but not the stream: the wire is cut before that.
  const Reached reached = wire_.reach([&](Hub& to) noexcept { to.post_new(waiter); });
  if (reached == Reached::kTooEarly) {
    waiter.hub->post_new(waiter);  // the first wait is on its way, too
  } else if (reached == Reached::kTooLate) {
    ignore_token(waiter);
    await_last_touch();
    give_left_over(waiter);
    weft::detail::resume_on_own_pool(waiter.frame);
  }
}

bool take_ready(NextBase& next) noexcept {
  if (next.stream != nullptr) return next.stream->take_ready(next);
  next.ended = true;
  return true;
}

void limit_stream(StreamState& stream, Nanoseconds time) noexcept { stream.with_extras().time = time; }

void stop_stream_on(StreamState& stream, std::stop_token stop) noexcept {
  stream.with_extras().token = std::move(stop);
}

void cancel_stream(StreamState& stream) noexcept { stream.cancel(); }

void drop_stream(StreamState& stream) noexcept { stream.drop(); }

// ---- items ---------------------------------------------------------------------------------

bool StreamState::push(std::int32_t item, std::uint32_t item_flags) noexcept {
  try {
    if (first_item_ > items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_item_));
      first_item_ = 0;
    }
    items_.push_back({item, item_flags});
    return true;
  } catch (...) {  // std::bad_alloc
    discard(item, item_flags);
    finish(-ENOMEM);
    interrupt();
    return false;
  }
}

void StreamState::give(NextBase& waiter) noexcept {
  if (num_items() != 0) {
    give(waiter, items_[first_item_++]);
  } else if (error_ != 0) {
    waiter.result = std::exchange(error_, 0);
  } else {
    waiter.result = 0;
    waiter.ended = true;
  }
}

void StreamState::give(NextBase& waiter, const Item& item) noexcept {
  waiter.result = item.result;
  waiter.completion_flags = item.flags;
  waiter.shelf = shelf();
}

void StreamState::give_left_over(NextBase& waiter) noexcept {
  // Relaxed, all: nothing is added any more, so that only which one we get is left to find out.
  const std::atomic_ref<std::size_t> first(first_item_);
  std::size_t at = first.load(relaxed);
  while (at != items_.size()) {
    if (first.compare_exchange_weak(at, at + 1, relaxed, relaxed)) return give(waiter, items_[at]);
  }
  waiter.result = std::atomic_ref<std::int32_t>(error_).exchange(0, relaxed);
  waiter.ended = waiter.result == 0;
}

void StreamState::finish(std::int32_t error) noexcept {
  if (std::exchange(finished_, true)) return;
  error_ = error;
}

void StreamState::discard_all() noexcept {
  for (; num_items() != 0; ++first_item_) {
    discard(items_[first_item_].result, items_[first_item_].flags);
  }
  finish(0);
  error_ = 0;
}

// ---- its hub's thread ----------------------------------------------------------------------

void StreamState::join(Hub& to) noexcept {
  if (std::exchange(joined_, true)) return;
  hub = &to;
  wire_.connect(to);
  to.add(*this);
  if (extras() != nullptr && extras()->time != kNever) {
    limit_ = after(extras()->time);
    if (!to.set_deadline(*this, limit_)) finish(-ENOMEM);
  }
  if (const std::int32_t error = begin(to); error != 0) finish(error);
  if (to.closed() || cancelled_.load(relaxed)) reason = Reason::kStopped;  // relaxed: see cancel()
  if (reason != Reason::kNone) return stop();
  // It may be called at once, and then posts.
  heed_token(*this);
}

void StreamState::wait(NextBase& waiter) noexcept {
  waiting_.append(waiter);
  serve();
}

void StreamState::serve() noexcept {
  while (!waiting_.empty() && (num_items() != 0 || finished_)) {
    auto& waiter = static_cast<NextBase&>(*waiting_.first);
    waiting_.remove(waiter);
    give(waiter);
    hub->completed(waiter, waiter.result);
  }
  const bool idle = !running_ && !missing_ && !pausing_;
  if (idle && !waiting_.empty()) run();
}

void StreamState::run() noexcept {
  if (std::exchange(pause_, false)) {
    pausing_ = true;
    const Nanoseconds until = now() + kPause;
    if (hub->set_deadline(*this, until < limit_ ? until : limit_)) return;
    pausing_ = false;
    finish(-ENOMEM);
    return serve();
  }
  if (!prepare()) {
    missing_ = true;
    return;
  }
  running_ = true;
  hub->run(*this);
}

void StreamState::interrupt() noexcept {
  if (!running_ || std::exchange(cancelling_, true)) return;
  if (hub->interrupt(*this)) {
    running_ = cancelling_ = false;
    withdrawn();
  }
}

void StreamState::completed(bool more) noexcept {
  running_ = more;
  take();
  if (!more) {
    cancelling_ = false;
    if (reason != Reason::kNone) finish(reason == Reason::kTimedOut ? -ETIMEDOUT : -ECANCELED);
  }
  if (ownerless_) {
    discard_all();
    if (!running_) remove_and_delete();
    return;
  }
  serve();
}

void StreamState::expired(Nanoseconds at) noexcept {
  if (limit_ <= at) {
    limit_ = kNever;
    pausing_ = false;
    return hub->cancel(*this, Reason::kTimedOut);
  }
  pausing_ = false;
  hub->set_deadline(*this, limit_);  // where the one was that has just expired
  serve();
}

void StreamState::stop() noexcept {
  interrupt();
  if (running_) return;  // its last completion will tell
  if (std::exchange(missing_, false)) stop_missing();
  pausing_ = false;
  finish(reason == Reason::kTimedOut ? -ETIMEDOUT : -ECANCELED);
  serve();
}

void StreamState::resume() noexcept {
  missing_ = false;
  serve();
}

void StreamState::dropped() noexcept {
  ownerless_ = true;
  discard_all();
  serve();  // those who wait all the same: it has ended
  if (reason == Reason::kNone) reason = Reason::kStopped;
  stop();
  if (!running_) remove_and_delete();
}

void StreamState::remove_and_delete() noexcept {
  end();
  hub->remove(*this);
  wire_.cut();  // the owner may still be in its post
  delete this;
}

bool StreamState::leave_hub() noexcept {
  if (reason == Reason::kNone) reason = Reason::kStopped;
  stop();
  if (running_) return false;
  Hub& from = *hub;
  wire_.cut();
  // Waits for a callback that runs on another thread: it may be about to push what the owner posted.
  ignore_token(*this);
  // Whoever has posted is done with that, so the inbox says whether the owner has dropped it.
  const bool is_dropped = (from.leave_inbox(*this) & InboxNode::kStreamDropped) != 0;
  from.start_mail_of(*this);  // waits that are there: it has ended
  if (is_dropped) discard_all();  // before end(): the shelf may be gone after that
  end();
  from.remove(*this);
  if (is_dropped) {
    delete this;
  } else {
    // From here on it is the owner's, who may be waiting for that to delete it, or to take what is left.
    // The wake-up needs the word's address only. Release: pairs with take_ready and await_last_touch.
    hubless_.store(1, release);
    weft::detail::futex_wake(hubless_, INT_MAX);
  }
  return true;
}

}  // namespace weft::io::detail
