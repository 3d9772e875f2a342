// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A worker that found one task after the other in the queue where it had stolen last did not search. So
// it never looked at its ring, and what a task had started there was not even submitted; nor did it look at
// any other queue.

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "../support/handshake.hpp"
#include "../support/io.hpp"

using weft::Task;
using namespace std::chrono_literals;

namespace {

struct Chain {
  const int enough;                  // leaves in vain
  std::thread::id only_on{};         // their thread, or any; to be set before `begun`
  std::atomic<bool> begun{false};    // what they are not to keep waiting
  std::atomic<bool> ended{false};
  std::atomic<int> queued{0};
  std::atomic<int> ran{0};
  std::atomic<int> in_vain{0};

  bool over() const { return ended.load() || in_vain.load() >= enough; }
};

void spin(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

void leaf(Chain& chain) {
  chain.queued.fetch_sub(1);
  chain.ran.fetch_add(1);
  if (chain.begun.load() && !chain.ended.load() &&
      (chain.only_on == std::thread::id() || chain.only_on == std::this_thread::get_id())) {
    chain.in_vain.fetch_add(1);
  }
  spin(100us);
}

// Its worker always starts the next step; the leaves, of which two are queued, are for another one.
void step(Chain& chain) {
  while (chain.queued.load() < 2) {
    chain.queued.fetch_add(1);
    weft::spawn_detached([&chain] { leaf(chain); });
  }
  spin(30us);
  if (!chain.over()) weft::spawn_detached([&chain] { step(chain); });
}

BOOST_AUTO_TEST_CASE(steals_before_io) {
  Chain chain{.enough = 10};
  weft::Threadpool pool({.num_threads = 2, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached([&chain]() -> Task<> {
      chain.only_on = std::this_thread::get_id();
      chain.begun = true;
      (co_await weft::io::nop()).value();
      chain.ended = true;
    });
    weft::spawn_detached([&chain] { step(chain); });
    co_return;
  }));
  BOOST_TEST(chain.in_vain.load() < chain.enough);
}

BOOST_AUTO_TEST_CASE(one_victim_for_ever) {
  Chain chain{.enough = 1000};
  weft::Threadpool pool({.num_threads = 3, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached([&chain] { step(chain); });
    weft::spawn_detached([&chain] {
      weft::test::wait_until([&chain] { return chain.ran.load() >= 20; });
      chain.begun = true;
      weft::spawn_detached([&chain] { chain.ended = true; });
      weft::test::wait_until([&chain] { return chain.over(); });  // so that another worker has to take it
    });
    co_return;
  }));
  BOOST_TEST(chain.in_vain.load() < chain.enough);
}

}  // namespace
