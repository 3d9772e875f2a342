// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// The buffers that one hub has of a BufferPool. `docs/design/shelf.md`.

#include <cstdint>
#include <memory>

#include "io/buffer_returns.hpp"
#include "io/hub.hpp"
#include "io/line.hpp"
#include "io/pages.hpp"
#include "io/tenancy.hpp"
#include "io/wire.hpp"
#include "weft/io/buffers.hpp"

namespace weft::io::detail {

/// A buffer is in one of four places: with the kernel, which chooses (a ring of buffers); free, where
/// there is no such ring; with a lease or a stream; or on its way back.
///
/// Any thread brings a buffer back: a push to a stack that the hub's thread only ever takes whole. It
/// does so when it runs out, and once per turn. If somebody waits for a buffer, it says that one
/// is wanted and looks once more; who brings one looks whether it is after that, and if so, posts.
class Shelf : public InboxNode {
 public:
  explicit Shelf(Shelves& of);  ///< \throws std::bad_alloc
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;

  // ---- any thread

  void give_back(std::uint32_t buffer) noexcept;
  std::byte* address(std::uint32_t buffer) const noexcept;
  /// Of each buffer.
  std::uint32_t bytes() const noexcept;
  /// That hub's own thread.
  bool belongs_to(const Hub& hub) const noexcept { return tenancy_.is_of(hub); }
  /// \return true: it had no hub, and has this one now
  bool adopt(Hub& hub) noexcept { return tenancy_.begin(hub); }
  void pool_is_gone() noexcept { wire_.post(*this, InboxNode::kPoolDropped); }

  // ---- its hub's thread

  void connect(Hub& hub) noexcept;
  void disconnect(Hub& hub) noexcept;

  void add_user() noexcept { ++users_; }
  /// It may be another hub's after that.
  void remove_user_of(Hub& hub) noexcept {
    --users_;
    leave_if_abandoned(hub);
  }
  void pool_of_users_is_gone(Hub& hub) noexcept {
    pool_is_gone_ = true;
    leave_if_abandoned(hub);
  }

  /// True if the kernel chooses, by `group`.
  bool kernel_chooses() const noexcept { return ring_size_ != 0; }
  std::uint16_t group() const noexcept { return group_; }
  /// That is what it did.
  void chosen(std::uint32_t buffer) noexcept;
  /// True if the kernel has one to choose.
  bool stocked() noexcept;
  /// Otherwise we choose. \return -1: there is none
  std::int32_t take() noexcept;

  /// To be told when a buffer is there. \return false: there is one
  bool wait(Operation& op) noexcept;
  void stop_waiting(Operation& op) noexcept;
  /// Collects what came back, and tells who waits.
  void look() noexcept;

  Shelf* next_made = nullptr;    ///< of the same pool
  Shelf* next_of_hub = nullptr;

 private:
  static constexpr std::uint32_t kNone = BufferRecord::kNone;

  void leave_if_abandoned(Hub& hub) noexcept {
    if (pool_is_gone_ && users_ == 0) disconnect(hub);
  }
  void collect() noexcept;
  void put(std::uint32_t buffer) noexcept;
  void publish() noexcept;

  Shelves& shelves_;
  Pages memory_;
  std::unique_ptr<BufferRecord[]> records_;
  BufferReturns returned_;
  Tenancy<Hub> tenancy_;
  Wire<Hub> wire_;

  // The hub's thread's:
  std::uint32_t free_ = kNone;
  std::uint32_t num_ready_ = 0;  // with the kernel, or free
  unsigned users_ = 0;           // streams and operations
  bool pool_is_gone_ = false;
  Line waiting_;                 // StreamState and Receive
  Pages ring_;                   // io_uring_buf[ring_size_]
  unsigned ring_size_ = 0;       // 0: we choose
  std::uint16_t ring_tail_ = 0;
  std::uint16_t group_ = 0;
};

/// What a BufferPool is: the shelves of all hubs that use it, and kept by those and the pool.
struct Shelves {
  Shelves(std::uint32_t number, std::uint32_t size) noexcept : count(number), bytes(size) {}
  ~Shelves();
  void release() noexcept {
    // Acq_rel: who is last sees all that the others did.
    if (references.fetch_sub(1, acq_rel) == 1) delete this;
  }
  /// The one of this hub, to be called by its thread. \return nullptr: no memory
  Shelf* of(Hub& hub) noexcept;

  const std::uint32_t count;
  const std::uint32_t bytes;
  Atomic<std::uint32_t> references{1};
  Atomic<Shelf*> first{nullptr};  // only grows
};

}  // namespace weft::io::detail
