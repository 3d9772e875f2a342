// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: co_await std::move(

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Task<int> give() { co_return 1; }

weft::Task<int> user() {
  weft::Task<int> task = give();
#ifdef WEFT_MISTAKE
  co_return co_await task;
#else
  co_return co_await std::move(task);
#endif
}
