// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: delete

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

int user(weft::Threadpool& pool) {
#ifdef WEFT_MISTAKE
  weft::Threadpool other(pool);
#else
  weft::Threadpool& other = pool;
#endif
  return other.num_threads();
}
