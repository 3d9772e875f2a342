// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/shelf.hpp"

#include <bit>
#include <new>
#include <stdexcept>
#include <string>

#include "io/stream.hpp"
#include "weft/io/receive.hpp"

namespace weft::io {

namespace {

constexpr std::size_t kMostBuffers = 32'768;  // of a ring, in the kernel
constexpr std::size_t kMostBytes = 1u << 30;

std::uint32_t checked(const char* what, std::size_t value, std::size_t most) {
  if (value == 0 || value > most) {
    throw std::invalid_argument(std::string("weft::io::BufferPool: ") + what + " is " +
                                std::to_string(value) + ", must be 1 to " + std::to_string(most));
  }
  return static_cast<std::uint32_t>(value);
}

}  // namespace

BufferPool::BufferPool(std::size_t count, std::size_t bytes)
    : shelves_(new detail::Shelves(checked("count", count, kMostBuffers),
                                   checked("bytes", bytes, kMostBytes))) {}

BufferPool::~BufferPool() {
  if (shelves_ == nullptr) return;
  using detail::Shelf;
  // Acquire: pairs with Shelves::of.
  for (Shelf* s = shelves_->first.load(detail::acquire); s != nullptr; s = s->next_made) {
    s->pool_is_gone();
  }
  shelves_->release();
}

std::size_t BufferPool::count() const noexcept { return shelves_->count; }
std::size_t BufferPool::bytes() const noexcept { return shelves_->bytes; }

namespace detail {

void give_back(Shelf& shelf, std::uint32_t buffer) noexcept { shelf.give_back(buffer); }

std::byte* address_of(const Shelf& shelf, std::uint32_t buffer) noexcept {
  return shelf.address(buffer);
}

Shelves::~Shelves() {
  Shelf* shelf = first.load(relaxed);  // relaxed: nobody else is left
  while (shelf != nullptr) delete std::exchange(shelf, shelf->next_made);
}

Shelf* Shelves::of(Hub& hub) noexcept {
  Shelf* const newest = first.load(acquire);  // pairs with the push below
  for (Shelf* s = newest; s != nullptr; s = s->next_made) {
    if (s->belongs_to(hub)) return s;
  }
  Shelf* without_hub = newest;
  while (without_hub != nullptr && !without_hub->adopt(hub)) without_hub = without_hub->next_made;
  if (without_hub == nullptr) {
    try {
      without_hub = new Shelf(*this);
    } catch (...) {  // std::bad_alloc
      return nullptr;
    }
    without_hub->adopt(hub);
    Shelf* head = first.load(relaxed);  // relaxed: a guess for the exchange
    do {
      without_hub->next_made = head;
      // Release: publishes the shelf.
    } while (!first.compare_exchange_weak(head, without_hub, weft::detail::release, relaxed));
  }
  references.fetch_add(1, relaxed);  // relaxed: the caller's stream has come from the pool, which lives
  without_hub->connect(hub);
  return without_hub;
}

// ---- any thread ----------------------------------------------------------------------------

Shelf::Shelf(Shelves& of)
    : shelves_(of), memory_(std::size_t{of.count} * of.bytes),
      records_(std::make_unique<BufferRecord[]>(of.count)) {
  for (std::uint32_t i = of.count; i-- > 0;) put(i);
}

std::byte* Shelf::address(std::uint32_t buffer) const noexcept {
  return memory_.as() + std::size_t{buffer} * shelves_.bytes;
}

std::uint32_t Shelf::bytes() const noexcept { return shelves_.bytes; }

void Shelf::give_back(std::uint32_t buffer) noexcept {
  if (returned_.push(records_.get(), buffer)) wire_.post(*this, InboxNode::kBufferBack);
}

// ---- its hub's thread ----------------------------------------------------------------------

void Shelf::connect(Hub& hub) noexcept {
  const unsigned size = std::bit_ceil(shelves_.count);
  try {
    ring_ = Pages(size * sizeof(io_uring_buf));
  } catch (...) {  // std::bad_alloc: we choose
  }
  if (ring_ && hub.provide(ring_.as(), size, group_)) {
    ring_size_ = size;
    ring_tail_ = 0;
    std::uint32_t buffer = std::exchange(free_, kNone);
    num_ready_ = 0;
    while (buffer != kNone) put(std::exchange(buffer, records_[buffer].next));
    publish();
  } else {
    ring_ = {};
  }
  wire_.connect(hub);
  hub.add(*this);
}

void Shelf::disconnect(Hub& hub) noexcept {
  wire_.cut();
  hub.remove(*this);
  if (ring_size_ != 0) {
    hub.stop_providing(group_);
    ring_ = {};
    ring_size_ = 0;
    num_ready_ = 0;
    for (std::uint32_t i = 0; i < shelves_.count; ++i) {
      if (std::exchange(records_[i].with_kernel, false)) put(i);
    }
  }
  pool_is_gone_ = false;
  Shelves& shelves = shelves_;
  tenancy_.end();  // from here on another hub may have it
  shelves.release();
}

void Shelf::put(std::uint32_t buffer) noexcept {
  ++num_ready_;
  if (ring_size_ == 0) {
    records_[buffer].next = std::exchange(free_, buffer);
    return;
  }
  records_[buffer].with_kernel = true;
  // Member by member: the tail is where the first entry has a spare one.
  io_uring_buf& entry = ring_.as<io_uring_buf>()[ring_tail_ & (ring_size_ - 1)];
  entry.addr = reinterpret_cast<std::uintptr_t>(address(buffer));
  entry.len = shelves_.bytes;
  entry.bid = static_cast<std::uint16_t>(buffer);
  ++ring_tail_;
}

void Shelf::publish() noexcept {
  if (ring_size_ == 0) return;
  // Release: pairs with the kernel's look, which sees the entries then.
  std::atomic_ref<std::uint16_t>(ring_.as<io_uring_buf>()->resv)
      .store(ring_tail_, release);
}

void Shelf::collect() noexcept {
  std::uint32_t buffer = returned_.take_all();
  if (buffer == kNone) return;
  while (buffer != kNone) {
    const std::uint32_t next = records_[buffer].next;
    put(buffer);
    buffer = next;
  }
  publish();
}

void Shelf::chosen(std::uint32_t buffer) noexcept {
  records_[buffer].with_kernel = false;
  --num_ready_;
}

bool Shelf::stocked() noexcept {
  if (num_ready_ == 0) collect();
  return num_ready_ != 0;
}

std::int32_t Shelf::take() noexcept {
  if (free_ == kNone) collect();
  if (free_ == kNone) return -1;
  --num_ready_;
  return static_cast<std::int32_t>(std::exchange(free_, records_[free_].next));
}

bool Shelf::wait(Operation& op) noexcept {
  if (returned_.want()) collect();
  if (num_ready_ != 0) return false;  // somebody may post in vain
  waiting_.append(op);
  return true;
}

void Shelf::stop_waiting(Operation& op) noexcept { waiting_.remove(op); }

void Shelf::look() noexcept {
  collect();
  while (!waiting_.empty()) {
    // Those that are there now: who finds nothing after all waits again.
    for (Operation* const last = waiting_.last; num_ready_ != 0 && !waiting_.empty();) {
      Operation& one = *waiting_.first;
      const bool was_last = &one == last;
      waiting_.remove(one);
      if (one.kind == Kind::kReceive) {
        static_cast<Receive&>(one).begin();
      } else {
        static_cast<StreamState&>(one).resume();
      }
      if (was_last) break;
    }
    if (waiting_.empty()) return;
    if (!returned_.want()) return;  // as in wait(): whoever posted last has cleared it
    collect();
  }
}

}  // namespace detail

}  // namespace weft::io
