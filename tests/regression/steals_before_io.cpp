// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A worker with I/O that found one task after the other in the queue where it had stolen last did not
// search, and so never looked at its ring: what a task had started there was not even submitted.

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "../support/io.hpp"

using weft::Task;
using namespace std::chrono_literals;

namespace {

constexpr int kEnough = 10;

struct Chain {
  std::atomic<std::thread::id> waits_on{};  // the thread on which an operation was started
  std::atomic<bool> ended{false};
  std::atomic<int> queued{0};
  std::atomic<int> leaves_before_it{0};  // on that thread
};

void spin(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

void leaf(Chain& chain) {
  chain.queued.fetch_sub(1);
  if (chain.waits_on.load() == std::this_thread::get_id()) chain.leaves_before_it.fetch_add(1);
  spin(100us);
}

// Its worker always starts the next step; the leaves, of which two are queued, are for the other one.
void step(Chain& chain) {
  while (chain.queued.load() < 2) {
    chain.queued.fetch_add(1);
    weft::spawn_detached([&chain] { leaf(chain); });
  }
  spin(30us);
  if (!chain.ended && chain.leaves_before_it.load() < kEnough) {
    weft::spawn_detached([&chain] { step(chain); });
  }
}

BOOST_AUTO_TEST_CASE(steals_before_io) {
  Chain chain;
  weft::Threadpool pool({.num_threads = 2, .caller_participates = false});
  pool.run(weft::sync_scope([&]() -> Task<> {
    weft::spawn_detached([&chain]() -> Task<> {
      chain.waits_on = std::this_thread::get_id();
      (co_await weft::io::nop()).value();
      chain.ended = true;
    });
    weft::spawn_detached([&chain] { step(chain); });
    co_return;
  }));
  BOOST_TEST(chain.leaves_before_it.load() < kEnough);
}

}  // namespace
