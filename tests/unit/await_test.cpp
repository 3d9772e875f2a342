// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Every way in which a task can await another one. Handshakes force each schedule, so that a test
// runs the case it is named after every time, not now and then.

#include <weft/weft.hpp>

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../support/fib.hpp"
#include "../support/handshake.hpp"
#include "../support/workers.hpp"

using weft::Flowvar;
using weft::Task;
using weft::Threadpool;
using weft::test::fib;
using weft::test::Rendezvous;
using weft::test::Signal;

namespace {

Task<int> give(int v) { co_return v; }

BOOST_AUTO_TEST_SUITE(await)

// One worker: nothing can be stolen, so every await finds its child where it was pushed.
BOOST_AUTO_TEST_CASE(unstolen) {
  Threadpool pool(1);
  BOOST_TEST(pool.run(fib(15)) == 610);
  const auto total = pool.metrics().total();
  BOOST_TEST(total.steals == 0U);
  BOOST_TEST(total.awaits_parked == 0U);
  BOOST_TEST(total.awaits_inline > 0U);
}

WEFT_TEST_EACH_WORKERS(tree) {
  Threadpool pool(workers);
  BOOST_TEST(pool.run(fib(18)) == 2584);
}

// The parent keeps its worker busy until the child has started, so the other worker has stolen it;
// the child goes on only once the parent has been counted as parked.
BOOST_AUTO_TEST_CASE(stolen_and_unfinished) {
  Threadpool pool({.num_threads = 2, .caller_participates = false});
  Signal go;
  Flowvar<int> parent = pool.spawn([&go]() -> Task<int> {
    Signal started;
    Flowvar<int> child = weft::spawn([&] {
      started.raise();
      go.wait();
      return 5;
    });
    started.wait();
    co_return co_await std::move(child);
  });
  weft::test::wait_until([&] { return pool.metrics().total().awaits_parked >= 1U; });
  go.raise();
  BOOST_TEST(pool.sync(std::move(parent)) == 5);
  BOOST_TEST(pool.metrics().total().steals >= 1U);
}

BOOST_AUTO_TEST_CASE(stolen_and_finished) {
  Threadpool pool(2);
  const int result = pool.run([]() -> Task<int> {
    Flowvar<int> child = weft::spawn(give(6));
    weft::test::wait_until([&] { return child.is_ready(); });
    co_return co_await std::move(child);
  });
  BOOST_TEST(result == 6);
}

BOOST_AUTO_TEST_CASE(stolen_and_failed) {
  Threadpool pool(2);
  BOOST_CHECK_THROW(pool.run([]() -> Task<> {
    Signal started;
    Flowvar<> child = weft::spawn([&started] {
      started.raise();
      throw std::domain_error("from a thief");
    });
    started.wait();
    co_await std::move(child);
  }),
                    std::domain_error);
}

// Two workers. The thief of the child has one more task in its queue and does not return before
// that has run, so only the awaiting parent's worker can run it: by looking in the thief's queue.
BOOST_AUTO_TEST_CASE(leapfrog) {
  Threadpool pool(2);
  const int result = pool.run([]() -> Task<int> {
    Signal spawned;
    Signal helped;
    Flowvar<int> child = weft::spawn([&]() -> Task<int> {
      Flowvar<int> grandchild = weft::spawn([&] {
        helped.raise();
        return 3;
      });
      spawned.raise();
      helped.wait();
      const int value = co_await std::move(grandchild);
      co_return value + 1;
    });
    spawned.wait();
    const int value = co_await std::move(child);
    co_return value;
  });
  BOOST_TEST(result == 4);
  BOOST_TEST(pool.metrics().total().leapfrogs >= 1U);
}

WEFT_TEST_EACH_WORKERS(out_of_order) {
  Threadpool pool(workers);
  const int result = pool.run([]() -> Task<int> {
    int value = 0;
    for (int round = 0; round < 200; ++round) {
      Flowvar<int> a = weft::spawn(fib(3));
      Flowvar<int> b = weft::spawn(fib(4));
      Flowvar<int> c = weft::spawn(fib(5));
      value += co_await std::move(a);  // oldest first: the queue hands out c
      value += co_await std::move(c);
      value += co_await std::move(b);
    }
    co_return value;
  });
  BOOST_TEST(result == 200 * (2 + 3 + 5));
}

BOOST_AUTO_TEST_CASE(already_done) {
  Threadpool pool(2);
  const bool done = pool.run([]() -> Task<bool> {
    Flowvar<int> a = weft::spawn(give(1));
    weft::test::wait_until([&] { return a.is_ready(); });
    Flowvar<int> b = weft::spawn(give(2));
    const int first = co_await std::move(a);
    const int second = co_await std::move(b);
    co_return first == 1 && second == 2;
  });
  BOOST_TEST(done);
}

// What lies above the awaited child belongs to a callee's frame: not a sibling.
WEFT_TEST_EACH_WORKERS(below_other_work) {
  Threadpool pool(workers);
  const int result = pool.run([]() -> Task<int> {
    int value = 0;
    for (int round = 0; round < 200; ++round) {
      std::vector<Flowvar<int>> others;
      Flowvar<int> wanted = weft::spawn(give(1));
      auto callee = [](std::vector<Flowvar<int>>& out) -> Task<> {
        for (int i = 0; i < 5; ++i) {
          out.push_back(weft::spawn(fib(4)));
        }
        co_return;
      };
      co_await callee(others);
      value += co_await std::move(wanted);
      for (Flowvar<int>& other : others) {
        value += co_await std::move(other);
      }
    }
    co_return value;
  });
  BOOST_TEST(result == 200 * (1 + 5 * 3));
}

// X awaits Z, which lies below Y; the worker runs Y inside X's await, and Y awaits X, whose body is
// further down on the same native stack. Y has to park and let X go on.
WEFT_TEST_EACH_WORKERS(running_on_this_worker_below) {
  Threadpool pool(workers);
  const int result = pool.run([]() -> Task<int> {
    struct Shared {
      std::optional<Flowvar<int>> x;
      std::atomic<bool> x_is_set{false};
      std::atomic<int> y_saw{0};
    };
    Shared shared;
    auto y = [](Shared& s) -> Task<> {
      const int value = co_await std::move(*s.x);
      s.y_saw.store(value);
    };
    auto x = [](Shared& s, auto make_y) -> Task<int> {
      weft::test::wait_until([&s] { return s.x_is_set.load(); });
      Flowvar<int> z = weft::spawn(give(8));
      weft::spawn_detached(make_y(s));
      co_return co_await std::move(z);
    };
    co_await weft::sync_scope([&]() -> Task<> {
      shared.x.emplace(weft::spawn(x(shared, y)));
      shared.x_is_set.store(true);
      co_return;
    });
    co_return shared.y_saw.load();
  });
  BOOST_TEST(result == 8);
}

WEFT_TEST_EACH_WORKERS(spawned_on_another_pool) {
  Threadpool home(workers);
  Threadpool away(workers);
  const bool good = home.run([&]() -> Task<bool> {
    bool all = true;
    for (int i = 0; i < 100; ++i) {
      Flowvar<Threadpool*> fv = away.spawn([] { return Threadpool::current(); });
      Threadpool* ran_on = co_await std::move(fv);
      all = all && ran_on == &away && Threadpool::current() == &home;
    }
    co_return all;
  });
  BOOST_TEST(good);
}

// A handle may be awaited by another task than the one that spawned it.
WEFT_TEST_EACH_WORKERS(handle_passed_to_another_task) {
  Threadpool pool(workers);
  const int result = pool.run([]() -> Task<int> {
    int value = 0;
    for (int i = 0; i < 200; ++i) {
      Flowvar<int> first = weft::spawn(fib(4));
      Flowvar<int> second = weft::spawn([](Flowvar<int> fv) -> Task<int> {
        const int got = co_await std::move(fv);
        co_return got + 1;
      }, std::move(first));
      value += co_await std::move(second);
    }
    co_return value;
  });
  BOOST_TEST(result == 800);
}

WEFT_TEST_EACH_WORKERS(every_worker_inside_sync) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  Rendezvous all_in(workers);
  auto blocker = [&all_in]() -> Task<int> {
    all_in.arrive_and_wait();  // now every worker runs one of these
    Flowvar<int> child = weft::spawn(fib(8));
    co_return weft::sync(std::move(child));
  };
  std::vector<Flowvar<int>> blockers;
  for (int i = 0; i < workers; ++i) {
    blockers.push_back(pool.spawn(blocker));
  }
  int sum = 0;
  for (Flowvar<int>& fv : blockers) {
    sum += pool.sync(std::move(fv));
  }
  BOOST_TEST(sum == 21 * workers);
}

// Every worker waits for the other pool, whose tasks need a worker of this one to proceed.
WEFT_TEST_EACH_WORKERS(every_worker_inside_sync_on_another_pool) {
  Threadpool pool({.num_threads = workers, .caller_participates = false});
  Threadpool other(1);
  Rendezvous all_in(workers);
  auto blocker = [&]() -> Task<int> {
    all_in.arrive_and_wait();
    Flowvar<int> away = other.spawn([&]() -> Task<int> {
      Flowvar<int> back = pool.spawn(fib(6));
      co_return co_await std::move(back);
    });
    co_return weft::sync(std::move(away));
  };
  std::vector<Flowvar<int>> blockers;
  for (int i = 0; i < workers; ++i) {
    blockers.push_back(pool.spawn(blocker));
  }
  int sum = 0;
  for (Flowvar<int>& fv : blockers) {
    sum += pool.sync(std::move(fv));
  }
  BOOST_TEST(sum == 8 * workers);
}

// A parked frame becomes runnable while its pool's only worker sits in sync further down: link k
// awaits link k-1, and the bottom link runs on another pool.
WEFT_TEST_EACH_WORKERS(chain_of_parked_frames) {
  Threadpool pool(workers);
  Threadpool other(1);
  const int result = pool.run([&]() -> Task<int> {
    Flowvar<int> tail = other.spawn(give(0));
    for (int i = 0; i < 1000; ++i) {
      tail = weft::spawn([](Flowvar<int> previous) -> Task<int> {
        const int value = co_await std::move(previous);
        co_return value + 1;
      }, std::move(tail));
    }
    co_return weft::sync(std::move(tail));
  });
  BOOST_TEST(result == 1000);
}

// Another library's awaitable: whoever resumes it, the task goes on on its own pool.
struct OnNewThread {
  std::thread& thread;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) const { thread = std::thread(frame); }
  int await_resume() const noexcept { return 4; }
};

struct Refuses {
  bool throws;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) const {
    if (throws) throw std::domain_error("cannot wait");
    return false;
  }
  int await_resume() const noexcept { return 5; }
};

WEFT_TEST_EACH_WORKERS(foreign_awaitable_resumed_elsewhere) {
  Threadpool pool(workers);
  std::thread thread;
  const int result = pool.run([&]() -> Task<int> {
    const int value = co_await OnNewThread{thread};
    co_return Threadpool::current() == &pool ? value : 0;
  });
  thread.join();
  BOOST_TEST(result == 4);
}

WEFT_TEST_EACH_WORKERS(foreign_awaitable_that_does_not_suspend) {
  Threadpool pool(workers);
  auto child = [](bool throws) -> Task<int> {
    const int value = co_await Refuses{throws};
    co_return value;
  };
  BOOST_TEST(pool.run(child, false) == 5);
  BOOST_CHECK_THROW(pool.run(child, true), std::domain_error);
  const int called = pool.run([&]() -> Task<int> {
    const int value = co_await child(false);
    co_return value;
  });
  BOOST_TEST(called == 5);
}

// A library that gives up destroys what it was given: now, or later on another thread.
struct Drops {
  std::thread* thread;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) const {
    if (thread == nullptr) return frame.destroy();
    *thread = std::thread([frame] { frame.destroy(); });
  }
  int await_resume() const noexcept { return 6; }
};

WEFT_TEST_EACH_WORKERS(foreign_awaitable_that_destroys_the_handle) {
  Threadpool pool(workers);
  std::thread thread;
  auto child = [](std::thread* where) -> Task<int> {
    const int value = co_await Drops{where};
    co_return value;
  };
  auto cancelled = [](const std::system_error& e) {
    return e.code() == std::errc::operation_canceled;
  };
  BOOST_CHECK_EXCEPTION(pool.run(child, nullptr), std::system_error, cancelled);
  BOOST_CHECK_EXCEPTION(pool.run(child, &thread), std::system_error, cancelled);
  thread.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
