// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A registered set: what it holds goes after the last use and no later than that, every ring that has it is told
// or leaves by itself, and it goes once, after the last ring. The steps are those of FixedSet, Registration
// and FixedTable.
#include "model_hub.hpp"

#include "io/roster.hpp"
#include "io/tenancy.hpp"
#include "io/wire.hpp"

namespace weft::detail::model {
namespace {

using weft::io::detail::Roster;
using weft::io::detail::Tenancy;
using weft::io::detail::Wire;

constexpr std::uint32_t kSetUnused = 64;

struct Registration : MailNode {
  Tenancy<ModelHub> tenancy;
  Wire<ModelHub> wire;
  Plain<Registration*> next_made{nullptr};
  Plain<int> in_table{0};

  explicit Registration(ModelHub& hub) { tenancy.begin(hub); }
  bool adopt(ModelHub& hub) { return tenancy.begin(hub); }
  void set_is_unused() { wire.post(*this, kSetUnused); }
};

struct Set {
  Roster<Registration> roster;
  Plain<int> held[3];  // a piece per thread, so that uses do not race with each other
  int* ends;

  explicit Set(int* count) : ends(count) {
    for (auto& piece : held) piece = 1;
  }
  void release() {
    if (!roster.end_use()) return;
    roster.tell_all();
    for (auto& piece : held) {
      MODEL_CHECK(piece == 1);
      piece = 0;
    }
    leave();
  }
  void leave() {
    if (!roster.leave()) return;
    for (auto& piece : held) MODEL_CHECK(piece == 0);
    ++*ends;
    delete this;
  }
};

// Two hubs, each with an operation, and the owner. The first hub stays until it is told; the other goes.
struct TwoRings : rl::test_suite<TwoRings, 3> {
  ModelHub* hubs[2] = {new ModelHub, new ModelHub};
  int ends = 0;
  Set* set = new Set(&ends);

  void before() {  // the owner makes the operations
    set->roster.use();
    set->roster.use();
  }
  static void leave_table(ModelHub& hub, Set& of, Registration& one) {
    one.wire.cut();
    hub.leave_inbox(one);
    one.in_table = one.in_table - 1;
    one.tenancy.end();
    of.leave();
  }
  void thread(unsigned index) {
    MODEL_CHECK(set->held[index] == 1);
    if (index == 2) return set->release();
    ModelHub& hub = *hubs[index];
    Set& its = *set;
    Registration& one = *its.roster.enrol(hub, [&] { return new Registration(hub); });
    one.in_table = one.in_table + 1;
    MODEL_CHECK(one.in_table == 1);
    MODEL_CHECK(its.held[index] == 1);
    its.release();
    for (bool told = index == 1; !told;) {
      hub.sleep();
      hub.read_mail([&](MailNode&, std::uint32_t news) { told = (news & kSetUnused) != 0; });
    }
    leave_table(hub, its, one);
    delete &hub;
  }
  void after() { MODEL_CHECK(ends == 1); }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<TwoRings>(500'000) ? 0 : 1;
}
