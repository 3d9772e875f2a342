// SPDX-License-Identifier: MIT OR Apache-2.0
#include "io/fixed_table.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>

namespace weft::io::detail {

namespace {

// Of FixedFiles there may be fewer than the limit: the kernel wants no table larger than RLIMIT_NOFILE.
unsigned file_table_size() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, FixedSet::kMostFiles));
}

}  // namespace

bool FixedTable::make() noexcept {
  if (state_ == State::kNone) {
    const int error = of_files_
                          ? io_uring_register_files_sparse(&ring_, file_table_size())
                          : io_uring_register_buffers_sparse(&ring_, FixedSet::kMostBuffers);
    state_ = error == 0 ? State::kMade : State::kRefused;
  }
  return state_ == State::kMade;
}

bool FixedTable::enter(FixedSet& set) noexcept {
  if (!of_files_) {
    const iovec all{.iov_base = set.memory(), .iov_len = set.size()};
    return io_uring_register_buffers_update_tag(&ring_, set.first(), &all, nullptr, 1) == 1;
  }
  const auto count = static_cast<unsigned>(set.files().size());
  const int taken = io_uring_register_files_update(&ring_, set.first(), set.files().data(), count);
  if (taken == static_cast<int>(count)) return true;
  if (taken > 0) clear(set);  // some, then the kernel had no more memory
  return false;
}

void FixedTable::clear(FixedSet& set) noexcept {
  if (!of_files_) {
    const iovec none{};
    io_uring_register_buffers_update_tag(&ring_, set.first(), &none, nullptr, 1);
    return;
  }
  std::array<int, 64> none;
  none.fill(-1);
  const std::size_t count = set.files().size();
  for (std::size_t at = 0; at < count; at += none.size()) {
    const auto some = static_cast<unsigned>(std::min(none.size(), count - at));
    io_uring_register_files_update(&ring_, set.first() + static_cast<unsigned>(at), none.data(), some);
  }
}

bool FixedTable::add(FixedSet& set) noexcept {
  if (state_ == State::kRefused) return false;
  try {
    if (sets_.size() <= set.first()) sets_.resize(std::size_t{set.first()} + 1);
  } catch (...) {  // std::bad_alloc: an ordinary operation then
    return false;
  }
  Registration* const one = set.enrol(hub_);
  if (one == nullptr) return false;
  one->table = this;
  one->usable = make() && enter(set);
  sets_[set.first()] = one;
  return one->usable;
}

void FixedTable::leave(Registration& one) noexcept {
  FixedSet& set = one.set;
  one.wire.cut();
  hub_.leave_inbox(one);
  if (one.usable) clear(set);
  sets_[set.first()] = nullptr;
  one.give_up();
  set.leave();  // it may be gone
}

void FixedTable::leave_all() noexcept {
  for (Registration* const one : sets_) {
    if (one != nullptr) leave(*one);
  }
}

}  // namespace weft::io::detail
