// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: weft::spawn

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

int twice(int value) { return 2 * value; }

weft::Flowvar<int> user() {
#ifdef WEFT_MISTAKE
  return weft::spawn(twice);
#else
  return weft::spawn(twice, 1);
#endif
}
