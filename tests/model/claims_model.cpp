// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Claims to the workers of a pool: everyone who claims gets one, with all that belongs to it, although
// their servers sleep on the event count. The steps are those of Worker::block_until, loop and
// find_work.
#include "model.hpp"

#include "weft/detail/eventcount.hpp"
#include "weft/detail/pool_threads.hpp"

namespace weft::detail {

struct Worker {
  Plain<int> served{0};  // the plain members
};

namespace model {
namespace {

template <class Derived, unsigned kServers, unsigned kClaimers>
struct ClaimsModel : rl::test_suite<Derived, kServers + kClaimers> {
  EventCount* idle = new EventCount;
  Claims claims;
  Claim mine[kClaimers];
  Parker parkers[kClaimers];
  Worker workers[kServers];
  Plain<int> granted[kClaimers];

  void before() {
    for (auto& times : granted) times = 0;
  }

  Claim* take_claim() {
    Claim* const claim = claims.any() ? claims.take() : nullptr;
    if (claim != nullptr && claims.any()) idle->notify_one();
    return claim;
  }
  void find_work() {  // there never is any
    idle->begin_search();
    while (!claims.any()) {
      const std::uint32_t round = idle->prepare_sleep();
      heavy_fence();
      if (claims.any(seq_cst)) {
        idle->cancel_sleep();
      } else {
        idle->sleep(round);
      }
    }
    if (idle->end_search() && claims.any(seq_cst)) idle->notify_one();
  }
  // Until it has given its worker away.
  void serve(Worker& worker) {
    worker.served = worker.served + 1;
    for (;;) {
      if (Claim* const claim = take_claim()) return claim->grant(&worker);
      find_work();
    }
  }
  // \return the worker it got
  Worker& claim(unsigned i) {
    mine[i].thread = &parkers[i];
    claims.push(mine[i]);
    idle->notify_one();
    while (!mine[i].granted.load(acquire)) parkers[i].park();
    granted[i] = granted[i] + 1;
    Worker& worker = *mine[i].worker;
    worker.served = worker.served + 1;
    return worker;
  }
  void after() {
    for (auto& times : granted) MODEL_CHECK(times == 1);
    MODEL_CHECK(idle->num_sleepers() == 0 && idle->num_searchers() == 0);
    delete idle;
  }
};

struct TwoOfEach : ClaimsModel<TwoOfEach, 2, 2> {
  void thread(unsigned index) {
    if (index < 2) return serve(workers[index]);
    claim(index - 2);
  }
  void after() {
    MODEL_CHECK(workers[0].served == 2 && workers[1].served == 2);
    ClaimsModel::after();
  }
};

// One worker for two: the first to get it serves it until the second claims it.
struct OneServer : ClaimsModel<OneServer, 1, 2> {
  Plain<int> claimed{0};  // plain: only whoever has the worker looks

  void thread(unsigned index) {
    if (index == 2) return serve(workers[0]);
    Worker& worker = claim(index);
    claimed = claimed + 1;
    if (claimed == 1) serve(worker);
  }
};

}  // namespace
}  // namespace model
}  // namespace weft::detail

int main() {
  using namespace weft::detail::model;
  return run<TwoOfEach>(300'000) && run<OneServer>(300'000) ? 0 : 1;
}
