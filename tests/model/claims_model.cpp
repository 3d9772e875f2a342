// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Claims to a worker: everyone who claims it gets it, one at a time, although the server sleeps on
// the event count. The steps are those of Worker::block_until and Worker::find_work.
#include "model.hpp"

#include "weft/detail/eventcount.hpp"
#include "weft/detail/pool_threads.hpp"

namespace weft::detail::model {
namespace {

struct ClaimAndServe : rl::test_suite<ClaimAndServe, 3> {
  EventCount* idle = new EventCount;
  Claims claims;
  Claim mine[2];
  Parker parkers[2];
  Plain<int> worker{0};  // the plain members that come with the place

  // The thread that serves: looks for work that never comes, until somebody claims the worker.
  void serve() {
    worker = worker + 1;
    idle->begin_search();
    while (!claims.any()) {
      const std::uint32_t round = idle->prepare_sleep();
      heavy_fence();
      if (claims.any()) {
        idle->cancel_sleep();
      } else {
        idle->sleep(round);
      }
    }
    idle->end_search();
    claims.grant_one();
  }
  void claim(unsigned i) {
    mine[i].thread = &parkers[i];
    claims.push(mine[i]);
    idle->wake_all();
    while (!mine[i].granted.load(acquire)) parkers[i].park();
    worker = worker + 1;
    if (ended() != 2) claims.any() ? claims.grant_one() : serve();
  }
  // Plain: only whoever serves the worker asks.
  int ended() {
    claimed = claimed + 1;
    return claimed;
  }
  Plain<int> claimed{0};

  void thread(unsigned index) { index == 2 ? serve() : claim(index); }
  void after() {
    MODEL_CHECK(claimed == 2);
    MODEL_CHECK(idle->num_sleepers() == 0 && idle->num_searchers() == 0);
    delete idle;
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() { return weft::detail::model::run<weft::detail::model::ClaimAndServe>(300'000) ? 0 : 1; }
