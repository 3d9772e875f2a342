// SPDX-License-Identifier: MIT OR Apache-2.0
// EXPECT: std::ref

#include <weft/weft.hpp>

#include <memory>
#include <string>
#include <utility>

#include <functional>

void bump(int& value) { ++value; }

weft::Flowvar<> user(int& value) {
#ifdef WEFT_MISTAKE
  return weft::spawn(bump, value);
#else
  return weft::spawn(bump, std::ref(value));
#endif
}
