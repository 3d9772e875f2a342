// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

/// \file
/// Lists of what has its links in itself, from which any can be taken out. `Line` is one with an order.

namespace weft::io::detail {

/// Puts `node` before all others. `kPrevious`, `kNext`: its links.
template <auto kPrevious, auto kNext, class T>
void link_first(T*& first, T& node) noexcept {
  node.*kPrevious = nullptr;
  node.*kNext = first;
  if (first != nullptr) first->*kPrevious = &node;
  first = &node;
}

/// Precondition: it is in that list.
template <auto kPrevious, auto kNext, class T>
void unlink(T*& first, T& node) noexcept {
  T* const previous = node.*kPrevious;
  T* const next = node.*kNext;
  (previous != nullptr ? previous->*kNext : first) = next;
  if (next != nullptr) next->*kPrevious = previous;
}

}  // namespace weft::io::detail
