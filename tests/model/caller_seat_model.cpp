// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The caller's seat: one thread at a time has it, and nobody who wants it sleeps while it is free.
// The steps are those of PoolState::wait_outside and leave_caller.
#include "model.hpp"

#include "weft/detail/caller_seat.hpp"

namespace weft::detail::model {
namespace {

template <class Derived>
struct CallerSeatModel : rl::test_suite<Derived, 3> {
  CallerSeat* seat = new CallerSeat;
  Parker parkers[3];
  Plain<int> worker{0};  // the plain members that come with the seat

  void sit_and_leave() {
    worker = worker + 1;
    seat->leave();
  }
  void wait_for_the_seat(unsigned index) {
    const CallerSeat::Candidacy candidacy(*seat, parkers[index]);
    while (!seat->try_take()) parkers[index].park();
    sit_and_leave();
  }
  void after() { delete seat; }
};

// Each of three gets it in the end.
struct AllWantIt : CallerSeatModel<AllWantIt> {
  void thread(unsigned index) { wait_for_the_seat(index); }
  void after() {
    MODEL_CHECK(worker == 3);
    CallerSeatModel::after();
  }
};

// What thread 1 waits for comes before the seat, or while it is called: it does without, and the
// call must not be lost on thread 2.
struct OneGoesAway : CallerSeatModel<OneGoesAway> {
  Atomic<bool> done{false};

  void thread(unsigned index) {
    if (index == 0) {
      if (!seat->try_take()) return finish();
      finish();
      return sit_and_leave();
    }
    if (index == 2) return wait_for_the_seat(index);
    const CallerSeat::Candidacy candidacy(*seat, parkers[1]);
    while (!done.load(acquire)) {
      if (seat->try_take()) return sit_and_leave();
      parkers[1].park();
    }
  }
  void finish() {
    done.store(true, release);
    parkers[1].unpark();
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<AllWantIt>(300'000) && run<OneGoesAway>(300'000) ? 0 : 1;
}
