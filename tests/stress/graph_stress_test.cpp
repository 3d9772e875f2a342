// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Random task graphs: spawn, call, await in any order, detach, drop, throw, nested scopes, blocking
// sync inside a task, two pools, foreign threads. Every value is checked against a serial run.
//
// WEFT_STRESS_SEED repeats a run, WEFT_STRESS_TASKS sets its size (10000000 is a good soak).

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "../support/workers.hpp"
#include "graph.hpp"

using namespace weft::test;
using weft::Flowvar;
using weft::Task;
using weft::Threadpool;

namespace {

struct Thrown {
  std::uint64_t value;
};

struct Arena {
  Threadpool* pools[2];
  std::atomic<std::uint64_t> nobody{0};
  std::atomic<std::uint64_t> executed{0};
};

Task<std::uint64_t> node(Arena& arena, Child self, int home);

// What the parent gets of a child, whether it came back or threw.
Task<std::uint64_t> take(Flowvar<std::uint64_t> handle) {
  try {
    co_return co_await std::move(handle);
  } catch (const Thrown& thrown) {
    co_return thrown.value;
  }
}

Task<std::uint64_t> call(Arena& arena, Child child, int home) {
  try {
    co_return co_await node(arena, child, home);
  } catch (const Thrown& thrown) {
    co_return thrown.value;
  }
}

std::uint64_t block(Flowvar<std::uint64_t> handle) {
  try {
    return weft::sync(std::move(handle));
  } catch (const Thrown& thrown) {
    return thrown.value;
  }
}

// The child runs inside a scope of its own, which also waits for all that it detaches.
Task<std::uint64_t> scoped(Arena& arena, Child child, int home) {
  std::uint64_t value = 0;
  try {
    co_await weft::sync_scope([&]() -> Task<> {
      Flowvar<std::uint64_t> handle = weft::spawn(node(arena, child, home));
      value = co_await std::move(handle);
    });
  } catch (const Thrown& thrown) {
    value = thrown.value;
  }
  co_return value;
}

Task<> ignored(Arena& arena, Child child, int home) {
  const std::uint64_t value = co_await node(arena, child, home);
  arena.nobody.fetch_add(value, std::memory_order_relaxed);
}

Task<std::uint64_t> dropped(Arena& arena, Child child, int home) {
  const std::uint64_t value = co_await call(arena, child, home);
  arena.nobody.fetch_add(value, std::memory_order_relaxed);
  if (child.throws) {
    throw Thrown{value};  // into nowhere: a drop discards it
  }
  co_return value;
}

Task<std::uint64_t> node(Arena& arena, Child self, int home) {
  const Plan p = plan(self.seed, self.budget);
  std::uint64_t value = p.salt;
  std::array<Flowvar<std::uint64_t>, Plan::kMaxChildren> kept;
  std::vector<Flowvar<std::uint64_t>> drops;
  for (std::size_t i = 0; i < p.count; ++i) {
    const Child& child = p.children[i];
    switch (child.use) {
      case Use::kAwait:
      case Use::kSync:
        kept[i] = weft::spawn(node(arena, child, home));
        break;
      case Use::kOtherPool:
        kept[i] = arena.pools[1 - home]->spawn(node(arena, child, 1 - home));
        break;
      case Use::kDetach:
        weft::spawn_detached(ignored(arena, child, home));
        break;
      case Use::kDrop:
        drops.push_back(weft::spawn(dropped(arena, child, home)));
        break;
      case Use::kCall: {
        const std::uint64_t got = co_await call(arena, child, home);
        value += blend(got, i, child.throws);
        break;
      }
      case Use::kScope: {
        const std::uint64_t got = co_await scoped(arena, child, home);
        value += blend(got, i, child.throws);
        break;
      }
    }
  }
  for (std::size_t k = 0; k < p.count; ++k) {
    const std::size_t i = p.order[k];
    if (!kept[i].is_spawned()) {
      continue;
    }
    std::uint64_t got = 0;
    if (p.children[i].use == Use::kSync) {
      got = block(std::move(kept[i]));
    } else {
      got = co_await take(std::move(kept[i]));
    }
    value += blend(got, i, p.children[i].throws);
  }
  arena.executed.fetch_add(1, std::memory_order_relaxed);
  if (Threadpool::current() != arena.pools[home]) {
    throw std::logic_error("a task woke up on another pool than its own");
  }
  if (self.throws) {
    throw Thrown{value};
  }
  co_return value;
}

std::uint64_t seed_of_this_run() {
  static const std::uint64_t seed = env_or("WEFT_STRESS_SEED", std::random_device{}());
  return seed;
}

// One foreign thread's share: graphs of up to 20,000 tasks, started and waited for in every way.
void drive(Arena& arena, std::uint64_t seed, std::uint64_t tasks, std::uint64_t& expected_nobody,
           std::atomic<int>& wrong) {
  Random random(seed);
  while (tasks > 0) {
    Child root{.seed = random(), .budget = 1 + random.below(20'000)};
    root.budget = root.budget < tasks ? root.budget : tasks;
    tasks -= root.budget;
    const int home = static_cast<int>(random.below(2));
    Threadpool& pool = *arena.pools[home];
    std::uint64_t value = 0;
    switch (random.below(3)) {
      case 0:
        value = pool.run(node(arena, root, home));
        break;
      case 1:
        value = pool.sync(pool.spawn(node(arena, root, home)));
        break;
      default:
        pool.sync_scope([&] {
          Flowvar<std::uint64_t> handle = pool.spawn(node(arena, root, home));
          value = pool.sync(std::move(handle));
        });
    }
    if (value != serial(root.seed, root.budget, expected_nobody)) {
      wrong.fetch_add(1);
    }
  }
}

BOOST_AUTO_TEST_SUITE(graph)

WEFT_TEST_EACH_WORKERS(random_graphs) {
  const std::uint64_t tasks = env_or("WEFT_STRESS_TASKS", kSanitized ? 50'000 : 200'000);
  const std::uint64_t seed = seed_of_this_run();
  BOOST_TEST_CONTEXT("repeat with WEFT_STRESS_SEED=" << seed << " WEFT_STRESS_TASKS=" << tasks
                                                     << " WEFT_TEST_WORKERS=" << workers) {
    std::fprintf(stderr, "graph: WEFT_STRESS_SEED=%llu, %llu tasks, %d workers\n",
                 static_cast<unsigned long long>(seed), static_cast<unsigned long long>(tasks), workers);
    constexpr std::size_t kDrivers = 4;
    std::array<std::uint64_t, kDrivers> nobody{};
    std::atomic<int> wrong{0};
    Threadpool first(workers);
    Threadpool second({.num_threads = workers, .caller_participates = false});
    Arena arena{.pools = {&first, &second}};
    {
      std::vector<std::jthread> drivers;
      for (std::size_t d = 0; d < kDrivers; ++d) {
        const std::uint64_t share = tasks / kDrivers + (d == 0 ? tasks % kDrivers : 0);
        drivers.emplace_back([&, d, share] { drive(arena, seed + d, share, nobody[d], wrong); });
      }
    }
    // A detached task of one pool may still start one on the other: look at both until at rest.
    for (std::uint64_t last = ~std::uint64_t{0}; last != arena.executed.load();) {
      last = arena.executed.load();
      first.sync_all();
      second.sync_all();
      first.sync_all();
    }
    std::uint64_t expected = 0;
    for (const std::uint64_t part : nobody) {
      expected += part;
    }
    BOOST_TEST(wrong.load() == 0);
    BOOST_TEST(arena.executed.load() == tasks);
    BOOST_TEST(arena.nobody.load() == expected);
    BOOST_TEST(first.metrics().total().tasks_spawned == first.metrics().total().tasks_executed);
    BOOST_TEST(second.metrics().total().tasks_spawned == second.metrics().total().tasks_executed);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
