// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: unused-result

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Task<int> give() { co_return 1; }

void user() {
#ifdef WEFT_MISTAKE
  weft::spawn(give());
#else
  weft::spawn(give()).detach();
#endif
}
