// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/drops.hpp"

#include "weft/detail/mutex.hpp"
#include "weft/detail/scope.hpp"

namespace weft::io::detail {

using weft::detail::TaskNode;

namespace {

// For all pools: a drop is rare, blocks, and may outlast the pool.
constinit weft::detail::Atomic<std::uint32_t> number{0};
constinit Drop* list = nullptr;

weft::detail::Mutex& lock() noexcept {
  static weft::detail::Mutex mutex;
  return mutex;
}

}  // namespace

Drop::Drop(const TaskNode* task) noexcept : task_(task) {
  {
    const weft::detail::Mutex::Guard guard(lock());
    next_ = list;
    if (list != nullptr) list->previous_ = this;
    list = this;
    number.fetch_add(1, weft::detail::seq_cst);  // see any_drops()
  }
  weft::detail::heavy_fence();  // pairs with Worker::park
}

Drop::~Drop() {
  const weft::detail::Mutex::Guard guard(lock());
  (previous_ != nullptr ? previous_->next_ : list) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  number.fetch_sub(1, weft::detail::relaxed);  // relaxed: a hub that looks in vain does no harm
}

bool any_drops() noexcept { return number.load(weft::detail::seq_cst) != 0; }

DropsView::DropsView() noexcept { lock().lock(); }
DropsView::~DropsView() { lock().unlock(); }

bool DropsView::empty() const noexcept { return list == nullptr; }

namespace {

// The frame that waits for `frame`, or the sync_scope that waits for its whole scope. That one's own frame
// is in its scope, too, and its awaiter may be about to park: it does not wait for itself.
const TaskNode* waiting_for(const TaskNode* frame) noexcept {
  if (const TaskNode* const awaiter = frame->state.waiting_frame()) return awaiter;
  // Acquire: pairs with ScopeEntry::park, as we look at the frame.
  const TaskNode* const scope = frame->scope->sync_scope.load(weft::detail::acquire);
  return scope != frame ? scope : nullptr;
}

}  // namespace

bool DropsView::waited_for_by(const TaskNode* frame) const noexcept {
  while (frame != nullptr) {
    for (const Drop* drop = list; drop != nullptr; drop = drop->next_) {
      if (drop->task_ == frame) return true;
    }
    frame = waiting_for(frame);
  }
  return false;
}

}  // namespace weft::io::detail
