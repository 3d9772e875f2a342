// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The parker: no token is lost, and what the unparker did is visible to the parked.
#include "model.hpp"

#include "weft/detail/parker.hpp"

namespace weft::detail::model {
namespace {

// One token carries one thread's work, and nothing else does.
struct TokenCarriesWork : rl::test_suite<TokenCarriesWork, 2> {
  Parker parker;
  Plain<int> work{0};

  void thread(unsigned index) {
    if (index == 0) {
      work = 1;
      parker.unpark();
    } else {
      parker.park();
      MODEL_CHECK(work == 1);
    }
  }
};

// Tokens do not add up, so the owner checks its conditions in a loop, as everybody in lib/ does.
struct TwoUnparkers : rl::test_suite<TwoUnparkers, 3> {
  Parker parker;
  Atomic<bool> done[2];
  Plain<int> work[2];

  void before() {
    for (auto& flag : done) flag.store(false, relaxed);
  }
  void thread(unsigned index) {
    if (index < 2) {
      work[index] = 1;
      done[index].store(true, release);
      parker.unpark();
      return;
    }
    for (auto& flag : done) {
      while (!flag.load(acquire)) parker.park();
    }
    MODEL_CHECK(work[0] == 1 && work[1] == 1);
  }
};

// Two threads hand one plain variable back and forth: the word is used again and again.
struct PingPong : rl::test_suite<PingPong, 2> {
  Parker parkers[2];
  Plain<int> turns{0};

  void thread(unsigned index) {
    for (int round = 0; round < 2; ++round) {
      if (index == 1) parkers[1].park();
      turns = turns + 1;
      parkers[1 - index].unpark();
      if (index == 0) parkers[0].park();
    }
  }
  void after() { MODEL_CHECK(turns == 4); }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good =
      run<TokenCarriesWork>(20'000, 3) && run<TwoUnparkers>(20'000, 1) && run<PingPong>(20'000, 2);
  return good ? 0 : 1;
}
