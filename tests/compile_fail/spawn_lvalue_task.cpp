// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: std::move

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Task<int> give() { co_return 1; }

weft::Flowvar<int> user() {
  weft::Task<int> task = give();
#ifdef WEFT_MISTAKE
  return weft::spawn(task);
#else
  return weft::spawn(std::move(task));
#endif
}
