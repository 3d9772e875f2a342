// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/helpers.hpp"

#include "io/hub.hpp"

namespace weft::io::detail {

namespace {

void run_here(Operation& op) noexcept {
  op.result = op.call(op);
  op.hub->post(op, InboxNode::kFinished);  // the operation may be gone after that
}

}  // namespace

void Helpers::stop() noexcept {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Helpers::run(Operation& op) noexcept {
  std::unique_lock lock(mutex_);
  if (queued_ >= idle_ && threads_.size() < kMost) {
    try {
      threads_.reserve(kMost);
      threads_.emplace_back([this] { work(); });
    } catch (...) {  // std::system_error, std::bad_alloc
      if (threads_.empty()) {
        lock.unlock();
        return run_here(op);
      }
    }
  }
  append(op);
  lock.unlock();
  filled_.notify_one();
}

bool Helpers::withdraw(Operation& op) noexcept {
  const std::lock_guard guard(mutex_);
  if (op.place != Place::kWaiting) return false;
  remove(op);
  return true;
}

void Helpers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (first_ == nullptr && !stopping_) {
      ++idle_;
      filled_.wait(lock);
      --idle_;
    }
    if (first_ == nullptr) return;
    Operation& op = *first_;
    remove(op);
    op.place = Place::kHelper;
    lock.unlock();
    run_here(op);
    lock.lock();
  }
}

void Helpers::append(Operation& op) noexcept {
  op.place = Place::kWaiting;
  op.queued_before = last_;
  op.queued_after = nullptr;
  (last_ != nullptr ? last_->queued_after : first_) = &op;
  last_ = &op;
  ++queued_;
}

void Helpers::remove(Operation& op) noexcept {
  (op.queued_before != nullptr ? op.queued_before->queued_after : first_) = op.queued_after;
  (op.queued_after != nullptr ? op.queued_after->queued_before : last_) = op.queued_before;
  --queued_;
}

}  // namespace weft::io::detail
