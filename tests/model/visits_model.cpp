// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Two threads do what lets the pool end, and touch it afterwards; the third sees that and ends it.
#include "model.hpp"

#include "weft/detail/parker.hpp"
#include "weft/detail/visits.hpp"

namespace weft::detail::model {
namespace {

struct VisitsModel : rl::test_suite<VisitsModel, 3> {
  Visits visits;
  Parker ender;
  Atomic<int> left{2};        // what the pool's end waits for
  Plain<int> touched[2];      // by each visitor, after that
  Plain<int> gone{0};

  void before() {
    for (Plain<int>& t : touched) t = 0;
  }

  void thread(unsigned index) {
    if (index == 2) {
      while (left.load(acquire) != 0) ender.park();
      visits.await_end();
      gone = touched[0] + touched[1];
      MODEL_CHECK(gone == 2);
      return;
    }
    const Visits::Visit visit(visits);
    if (left.fetch_sub(1, acq_rel) == 1) ender.unpark();
    touched[index] = 1;
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<VisitsModel>(300'000) ? 0 : 1;
}
