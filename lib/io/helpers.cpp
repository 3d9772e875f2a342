// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/helpers.hpp"

#include "io/hub.hpp"

namespace weft::io::detail {

namespace {

// Whether its call may wait for ever, as those on files do not.
bool waits(const Operation& op) noexcept {
  return op.kind == Kind::kEntry &&
         (op.sqe().opcode == IORING_OP_OPENAT || op.sqe().opcode == IORING_OP_CONNECT);
}

void post(Operation& op) noexcept {
  op.hub->post(op, InboxNode::kFinished);  // the operation may be gone after that
}

}  // namespace

void Helpers::stop() noexcept {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  filled_.notify_all();
  for (std::size_t i = 0; i < num_helpers_; ++i) helpers_[i].thread.join();
  num_helpers_ = 0;
}

void Helpers::run(Operation& op) noexcept {
  std::unique_lock lock(mutex_);
  if (queued_ >= idle_ && num_helpers_ < kMost) {
    try {
      Helper& next = helpers_[num_helpers_];
      next.thread = std::thread([this, &next] { work(next); });
      ++num_helpers_;
    } catch (...) {  // std::system_error, std::bad_alloc
      if (num_helpers_ == 0) {
        lock.unlock();
        op.result = op.call(op);
        return post(op);
      }
    }
  }
  append(op);
  lock.unlock();
  filled_.notify_one();
}

bool Helpers::cancel(Operation& op) noexcept {
  const std::lock_guard guard(mutex_);
  if (op.place == Place::kWaiting) {
    remove(op);
    return true;
  }
  for (Helper& helper : helpers_) {
    if (helper.running == &op) helper.interruption.begin();
  }
  return false;
}

void Helpers::work(Helper& self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (waiting_.empty() && !stopping_) {
      ++idle_;
      filled_.wait(lock);
      --idle_;
    }
    if (waiting_.empty()) return;
    Operation& op = *waiting_.first;
    remove(op);
    op.place = Place::kHelper;
    const bool may_wait = waits(op);
    if (may_wait) {
      self.running = &op;
      self.interruption.enter();
    }
    lock.unlock();
    op.result = op.call(op);
    if (may_wait) {
      lock.lock();
      self.running = nullptr;
      self.interruption.leave();
      lock.unlock();
    }
    post(op);
    lock.lock();
  }
}

void Helpers::append(Operation& op) noexcept {
  op.place = Place::kWaiting;
  waiting_.append(op);
  ++queued_;
}

void Helpers::remove(Operation& op) noexcept {
  waiting_.remove(op);
  --queued_;
}

}  // namespace weft::io::detail
