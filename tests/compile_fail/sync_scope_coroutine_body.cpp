// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: weft::sync_scope

#include <weft/weft.hpp>

void user(weft::Threadpool& pool) {
#ifdef WEFT_MISTAKE
  pool.sync_scope([]() -> weft::Task<> { co_return; });
#else
  pool.sync_scope([] {});
#endif
}
