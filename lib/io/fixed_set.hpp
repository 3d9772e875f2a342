// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// What FixedBuffers and FixedFiles are, and what a ring knows of one. `docs/design/io.md`.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/hub.hpp"
#include "io/pages.hpp"
#include "io/roster.hpp"
#include "io/tenancy.hpp"
#include "io/wire.hpp"
#include "weft/io/fixed_ref.hpp"

namespace weft::io::detail {

class FixedTable;

/// One set in the table of one ring. It belongs to the thread of that ring's hub, which leaves it when the
/// set is no longer used, or when the ring goes.
class Registration : public InboxNode {
 public:
  Registration(FixedSet& of, Hub& hub) noexcept : set(of) { tenancy_.begin(hub); }

  // ---- any thread

  /// \return true: it was nobody's, and is the caller's
  bool adopt(Hub& hub) noexcept { return tenancy_.begin(hub); }
  void set_is_unused() noexcept { wire.post(*this, InboxNode::kSetUnused); }

  // ---- its hub's thread

  void give_up() noexcept { tenancy_.end(); }

  FixedSet& set;
  Wire<Hub> wire;
  FixedTable* table = nullptr;
  bool usable = false;                ///< the kernel took it
  Registration* next_made = nullptr;  ///< of the same set

 private:
  Tenancy<Hub> tenancy_;
};

/// Memory or descriptors. Kept by its uses, which are its owner and each operation, and by the rings that
/// have it in their tables. With the last use the memory goes, or the descriptors are closed, and the
/// rings are told. Its numbers are free for another set only when the last ring has left it.
class FixedSet {
 public:
  static constexpr std::uint32_t kMostBuffers = 1'024;  // sets
  static constexpr std::uint32_t kMostFiles = 16'384;

  /// \throws as the constructors of FixedBuffers and FixedFiles
  FixedSet(std::size_t count, std::size_t bytes);
  explicit FixedSet(std::span<const int> files);
  FixedSet(const FixedSet&) = delete;
  FixedSet& operator=(const FixedSet&) = delete;
  ~FixedSet();

  // ---- any thread

  void retain() noexcept { roster_.use(); }
  void release() noexcept {
    if (roster_.end_use()) end_use();
  }

  bool is_files() const noexcept { return size_ == 0; }
  std::byte* memory() const noexcept { return memory_.as(); }
  std::size_t size() const noexcept { return size_; }  ///< bytes
  std::span<const int> files() const noexcept { return files_; }
  /// Its first number in the tables of all rings; memory has one, files have one each.
  std::uint32_t first() const noexcept { return first_; }

  // ---- a hub's thread, for an operation that uses it

  /// A registration that is the caller's, and not in a table yet. \return nullptr: no memory
  Registration* enrol(Hub& hub) noexcept;
  /// Of a registration that was given up. The set may be gone after that.
  void leave() noexcept {
    if (roster_.leave()) delete this;
  }

 private:
  void end_use() noexcept;

  std::size_t size_ = 0;  // bytes; files have none
  Pages memory_;
  std::vector<int> files_;
  std::uint32_t first_ = 0;
  Roster<Registration> roster_;
};

/// Locks memory as a ring does. \return zero, also where there is no ring, or an error number negated
std::int32_t try_to_lock(void* memory, std::size_t size) noexcept;

}  // namespace weft::io::detail
