// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The slow path of the frame pool preserves its caller's registers (clang). An exception brings back
// none but those that every function preserves, so where it threw std::bad_alloc, destructors of the
// caller's locals found garbage.

#include <weft/weft.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <new>

using weft::Task;

namespace {

bool no_memory = false;

}  // namespace

void* operator new(std::size_t size, std::align_val_t alignment) {
  void* const memory =
      no_memory ? nullptr : std::aligned_alloc(static_cast<std::size_t>(alignment), size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

struct AtTheEnd {
  long* where;
  long what;
  ~AtTheEnd() { where[0] += what; }
};

Task<int> never_made(int n) { co_return n; }

// What the destructors need is in registers when the frame is made, as many as there are.
[[gnu::noinline]] void make_frame(long* where, long a, long b, long c, long d, long e) {
  const AtTheEnd first{where, a}, second{where, b}, third{where + 1, c}, fourth{where + 2, d};
  const AtTheEnd fifth{where, a * b}, sixth{where, c * d}, seventh{where + 1, d * e};
  const AtTheEnd eighth{where, a + e}, ninth{where + 2, b * e};
  (void)never_made(1);
}

BOOST_AUTO_TEST_CASE(registers_after_bad_alloc) {
  long sums[3] = {};
  no_memory = true;
  volatile long one = 1;  // so that the compiler does not know
  BOOST_CHECK_THROW(make_frame(sums, one, 10 * one, 100 * one, 1000 * one, 10000 * one), std::bad_alloc);
  no_memory = false;
  BOOST_TEST(sums[0] == 1 + 10 + 10 + 100 * 1000 + 10001);
  BOOST_TEST(sums[1] == 100 + 1000 * 10000);
  BOOST_TEST(sums[2] == 1000 + 10 * 10000);
}

}  // namespace
