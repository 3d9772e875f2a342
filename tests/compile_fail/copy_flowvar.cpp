// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: write std::move(flowvar)

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

weft::Flowvar<int> user(weft::Flowvar<int> fv) {
#ifdef WEFT_MISTAKE
  weft::Flowvar<int> other = fv;
#else
  weft::Flowvar<int> other = std::move(fv);
#endif
  return other;
}
