// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: detach

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

void user(weft::Flowvar<int> fv) {
#ifdef WEFT_MISTAKE
  fv.detach();
#else
  std::move(fv).detach();
#endif
}
