// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A thread inside the blocking scopes of two pools spawned on the outer one's pool: no scope waited for
// the task.

#include <weft/weft.hpp>

#include <atomic>

#include "../support/workers.hpp"

using weft::Threadpool;

namespace {

WEFT_TEST_EACH_WORKERS(scopes_of_two_pools) {
  Threadpool outer({.num_threads = workers, .caller_participates = false});
  Threadpool inner({.num_threads = workers, .caller_participates = false});
  std::atomic<int> ran{0};
  outer.sync_scope([&] {
    inner.sync_scope([&] {
      outer.spawn_detached([&ran] { ran.fetch_add(1); });
      inner.spawn_detached([&ran] { ran.fetch_add(1); });
    });
    BOOST_TEST(ran.load() == 2);
  });
}

}  // namespace
