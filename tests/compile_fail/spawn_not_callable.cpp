// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: weft::spawn

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Flowvar<int> user() {
#ifdef WEFT_MISTAKE
  return weft::spawn(42);
#else
  return weft::spawn([] { return 42; });
#endif
}
