// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A drop begins, a frame is linked to another one, and a hub gets its first operation, in any order: the hub
// looks when both the drop and the link can be seen. The steps are those of Drop, tell_of_drops,
// watch_for_drops and BlockedNest (lib/io/drops.cpp), Worker::park and Hub::activate.
#include "model.hpp"

#include "io/drop_counts.hpp"
#include "weft/detail/mutex.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail::model {
namespace {

struct DropsModel {
  io::detail::DropCounts counts;
  Mutex lock;
  Plain<int> drop{0}, hub_listed{0}, nest{0};  // the lists
  Atomic<int> awaiter{0};                      // of a state word
  Plain<int> frame{0};                         // what the walk reads of it
  Atomic<int> mail{0};
  Parker hub_thread;

  void tell() {
    if (!counts.any_hubs()) return;
    const Mutex::Guard guard(lock);
    if (hub_listed == 0) return;
    mail.store(1, release);
    hub_thread.unpark();
  }
  void begin_drop() {
    {
      const Mutex::Guard guard(lock);
      drop = 1;
    }
    counts.begin_drop();
    tell();
  }
  void park() {
    frame = 1;
    int pending = 0;
    awaiter.compare_exchange_strong(pending, 1, acq_rel, acquire);  // StateWord::park
    if (counts.linked(false)) tell();
  }
  void block() {
    {
      const Mutex::Guard guard(lock);
      nest = 1;
    }
    if (counts.any_drops()) tell();
  }
  // Until the operation is cancelled: a look that was missed is a deadlock.
  void run_hub() {
    {
      const Mutex::Guard guard(lock);
      hub_listed = 1;
    }
    counts.begin_hub();
    bool look = counts.any_drops();
    while (!look || !finds_drop()) {
      look = mail.exchange(0, acquire) != 0;
      if (!look) hub_thread.park();
    }
    {
      const Mutex::Guard guard(lock);
      hub_listed = 0;
    }
    counts.end_hub();
  }
  bool finds_drop() {
    const Mutex::Guard guard(lock);
    if (drop == 0) return false;
    if (awaiter.load(acquire) == 0) return nest == 1;
    MODEL_CHECK(frame == 1);
    return true;
  }
};

struct Parks : rl::test_suite<Parks, 3>, DropsModel {
  void thread(unsigned index) {
    if (index == 0) return begin_drop();
    index == 1 ? park() : run_hub();
  }
};

struct Blocks : rl::test_suite<Blocks, 3>, DropsModel {
  void thread(unsigned index) {
    if (index == 0) return begin_drop();
    index == 1 ? block() : run_hub();
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<Parks>(300'000) && run<Blocks>(300'000) ? 0 : 1;
}
