// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: delete

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Task<int> user(weft::Task<int> task) {
#ifdef WEFT_MISTAKE
  weft::Task<int> other = task;
#else
  weft::Task<int> other = std::move(task);
#endif
  return other;
}
