// SPDX-License-Identifier: MIT OR Apache-2.0
// Calls that have to succeed.
#pragma once

#include <cerrno>
#include <system_error>

namespace bench::io {

/// \param result an error number negated, as io_uring has it, or a value
/// \throws std::system_error
inline int must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::system_category(), what);
  return result;
}

/// The same for what sets errno.
inline int called(long result, const char* what) {
  return must(result < 0 ? -errno : static_cast<int>(result), what);
}

}  // namespace bench::io
