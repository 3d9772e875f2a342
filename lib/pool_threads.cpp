// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The threads of a pool: which worker each serves, and how they end. `docs/design/blocking.md`,
// `docs/design/shutdown.md`.
#include <pthread.h>
#include <sched.h>

#include <climits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "io/helpers.hpp"
#include "io/hub.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/topology.hpp"
#include "weft/detail/watchdog.hpp"

namespace weft::detail {

namespace {

void pin_this_thread(int cpu) noexcept {
  // Best effort: the mask may have changed since allowed_cpus() read it.
  const auto bits = static_cast<std::size_t>(cpu) + 1;
  cpu_set_t* const set = CPU_ALLOC(bits);
  if (set == nullptr) return;
  CPU_ZERO_S(CPU_ALLOC_SIZE(bits), set);
  CPU_SET_S(static_cast<std::size_t>(cpu), CPU_ALLOC_SIZE(bits), set);
  pthread_setaffinity_np(pthread_self(), CPU_ALLOC_SIZE(bits), set);
  CPU_FREE(set);
}

}  // namespace

PoolThread::PoolThread(std::unique_ptr<io::detail::Hub> own_hub) noexcept
    : hub(std::move(own_hub)) {}

PoolThread::~PoolThread() = default;

void PoolState::start_threads(bool pin_threads) {
  if (has_io_thread) start_thread(nullptr);  // first, so that all operations go there
  const std::vector<int> cpus = pin_threads ? allowed_cpus() : std::vector<int>{};
  for (std::size_t i = has_caller ? 1 : 0; i < workers.size(); ++i) {
    if (pin_threads) workers[i]->cpu = cpus[i % cpus.size()];
    start_thread(workers[i].get());
  }
}

void PoolState::start_thread(Worker* worker) {
  auto made = std::make_unique<PoolThread>(std::make_unique<io::detail::Hub>(*this));
  made->worker = worker;
  if (worker == nullptr) {
    made->state.store(PoolThread::kDoesIo, relaxed);  // relaxed, both: no thread of ours runs yet
    first_hub.store(made->hub.get(), relaxed);
  }
  made->thread = std::thread([this, me = made.get()] { thread_main(*me); });
  PoolThread* const thread = made.release();
  PoolThread* head = threads_.load(relaxed);  // relaxed: a guess for the exchange
  do {
    thread->next_made = head;
  } while (!threads_.compare_exchange_weak(head, thread, release, relaxed));
}

void PoolState::thread_main(PoolThread& me) {
  io::detail::Hub& hub = *me.hub;
  hub.bind_to_this_thread();
  // As outside threads do, the others hand their operations over.
  if (has_io_thread && &hub != &io_home()) io::detail::current_hub = nullptr;
  for (;;) {
    const std::uint32_t state = me.state.load(acquire);  // acquire: pairs with serve and stop_threads
    if (state == PoolThread::kStops) break;
    if (state == PoolThread::kServes) {
      Worker::loop(me);
    } else {
      hub.turn();
      hub.sleep();  // an order given meanwhile comes with a token
      hub.deliver();
    }
  }
  hub.leave_thread();
}

void PoolThread::become(Worker* w) noexcept {
  worker = w;
  if (w->cpu >= 0 && std::exchange(cpu, w->cpu) != w->cpu) pin_this_thread(cpu);
}

void PoolState::serve(Worker* worker) {
  // Relaxed: hints, at worst a thread is made that is not needed. Acquire: pairs with start_thread and
  // with rest().
  PoolThread* t = num_resting_.load(relaxed) > 0 ? threads_.load(acquire) : nullptr;
  for (; t != nullptr; t = t->next_made) {
    std::uint32_t rests = PoolThread::kRests;
    if (t->state.load(relaxed) != rests ||
        !t->state.compare_exchange_strong(rests, PoolThread::kReserved, acquire, relaxed)) {
      continue;
    }
    num_resting_.fetch_sub(1, relaxed);
    t->worker = worker;
    t->state.store(PoolThread::kServes, release);  // hands over all that the worker is
    t->hub->parker()->unpark();  // it has one: it has served
    return;
  }
  start_thread(worker);
}

// Before it gives its worker away: whoever gets that may want this thread at once.
void PoolState::rest(PoolThread& thread) noexcept {
  std::uint32_t serves = PoolThread::kServes;
  // Release: pairs with serve(), which writes what this thread has read. A failure means kStops.
  if (thread.state.compare_exchange_strong(serves, PoolThread::kRests, release, relaxed)) {
    num_resting_.fetch_add(1, relaxed);  // relaxed: a hint
  }
}

void PoolState::stop_threads() noexcept {
  visits.await_end();
  stopping.store(true, seq_cst);  // pairs with the look after prepare_sleep
  idle.wake_all();
  helpers->stop();  // they post to hubs
  PoolThread* const threads = threads_.exchange(nullptr, acquire);  // pairs with start_thread
  for (PoolThread* t = threads; t != nullptr; t = t->next_made) {
    // Acq_rel: of a thread at rest we see its parker. One that serves was woken above.
    if (t->state.exchange(PoolThread::kStops, acq_rel) != PoolThread::kServes) {
      if (Parker* const parker = t->hub->parker()) parker->unpark();
    }
    t->thread.join();
  }
  // Only now: they may have looked at each other.
  for (PoolThread* t = threads; t != nullptr;) delete std::exchange(t, t->next_made);
  watchdog_.reset();
}

void PoolState::shutdown() {
  if (current_worker != nullptr && &current_worker->pool == this) {
    throw std::logic_error("weft::Threadpool::shutdown from one of the pool's own tasks");
  }
  std::uint32_t open = 0;
  // Acq_rel, acquire: whoever returns sees everything that the tasks did.
  if (!closed.compare_exchange_strong(open, 1, acq_rel, acquire)) {
    // As the first one waits: the thread of another pool's task gives up its worker meanwhile.
    wait_until_all_quiet();
    while (closed.load(acquire) != 2) futex_wait(closed, 1);
    return;
  }
  closing.close();
  wait_until_all_quiet();
  stop_threads();
  closed.store(2, release);
  futex_wake(closed, INT_MAX);
}

// ---- their I/O -----------------------------------------------------------------------------

void PoolState::cancel_and_shutdown() {
  io_closing.store(true, relaxed);  // relaxed: published by the count of the drop
  const io::detail::Drop all(*this);
  shutdown();
}

io::detail::Hub& PoolState::io_home() noexcept {
  // Acquire: pairs with Hub::activate, and with start_thread.
  io::detail::Hub* const first = first_hub.load(acquire);
  return first != nullptr ? *first : *threads_.load(acquire)->hub;
}

}  // namespace weft::detail
