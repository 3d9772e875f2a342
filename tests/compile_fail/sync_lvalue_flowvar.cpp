// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: std::move

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

int user(weft::Flowvar<int> fv) {
#ifdef WEFT_MISTAKE
  return weft::sync(fv);
#else
  return weft::sync(std::move(fv));
#endif
}
