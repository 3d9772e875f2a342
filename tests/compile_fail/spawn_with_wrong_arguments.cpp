// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: weft::spawn

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

int length(const std::string& text) { return static_cast<int>(text.size()); }

weft::Flowvar<int> user() {
#ifdef WEFT_MISTAKE
  return weft::spawn(length, 42);
#else
  return weft::spawn(length, "forty-two");
#endif
}
