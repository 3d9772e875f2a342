// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/threadpool.hpp"

#include <pthread.h>
#include <sched.h>

#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "io/helpers.hpp"
#include "io/hub.hpp"
#include "weft/detail/pool_state.hpp"
#include "weft/detail/watchdog.hpp"

namespace weft {

namespace detail {

namespace {

int checked_num_threads(int requested) {
  if (requested < 0 || requested > static_cast<int>(EventCount::kMaxThreads)) {
    throw std::invalid_argument("weft::Threadpool: num_threads is " + std::to_string(requested) +
                                ", must be 0 (as many as CPUs) to " +
                                std::to_string(EventCount::kMaxThreads));
  }
  return requested == 0 ? available_parallelism() : requested;
}

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

PoolState::PoolState(Threadpool& owner, int num_threads, bool caller_participates,
                     bool pin_threads, bool io_thread)
    : self(owner),
      has_caller(caller_participates && num_threads > 1),
      has_io_thread(io_thread),
      helpers(std::make_unique<io::detail::Helpers>()) {
  asymmetric_fences();  // registers, before any worker asks
  const auto n = static_cast<std::uint32_t>(num_threads);
  workers.reserve(n);
  for (std::uint32_t i = 0; i < n; ++i) workers.push_back(std::make_unique<Worker>(*this, i));
  root = acquire_scope();
  try {
    watchdog_ = Watchdog::from_environment(*this);
    start_threads(pin_threads);
  } catch (...) {
    stop_threads();
    free_scopes();
    throw;
  }
}

PoolState::~PoolState() { free_scopes(); }

void PoolState::free_scopes() noexcept {
  Scope* scope = all_scopes_.load(relaxed);  // relaxed: nobody else is left
  while (scope != nullptr) delete std::exchange(scope, scope->next_made);
}

// ---- threads -------------------------------------------------------------------------------

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

Claim* PoolState::take_claim() noexcept {
  Claim* const claim = claims.any() ? claims.take() : nullptr;
  // Others may have looked while we had them all.
  if (claim != nullptr && claims.any()) notify();
  return claim;
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

// ---- I/O -----------------------------------------------------------------------------------

void PoolState::close_io() noexcept {
  io_closing.store(true, seq_cst);  // pairs with Hub::activate
  // Acquire: pairs with start_thread. A thread that comes later sees that we close.
  for (PoolThread* t = threads_.load(acquire); t != nullptr; t = t->next_made) t->hub->post_close();
}

void PoolState::tell_of_drops() noexcept {
  for (PoolThread* t = threads_.load(acquire); t != nullptr; t = t->next_made) t->hub->post_drop();
}

io::detail::Hub& PoolState::io_home() noexcept {
  // Acquire: pairs with Hub::activate, and with start_thread.
  io::detail::Hub* const first = first_hub.load(acquire);
  return first != nullptr ? *first : *threads_.load(acquire)->hub;
}

// ---- spawning from outside -----------------------------------------------------------------

void PoolState::count_outside_spawn(TaskNode* node, OutsideScope in) {
  using enum OutsideScope::Kind;
  Scope& scope = *in.scope;
  if (in.kind == kEnclosing) {
    scope.outsider_spawned();
  } else if (!closing.try_enter(scope)) {
    if (in.kind == kNew) {
      scope.enclosing = nullptr;
      release_scope(&scope);
    }
    throw std::logic_error("weft: spawn on a Threadpool that is shut down");
  }
  if (in.kind == kNew) scope.join();
  node->spawned = true;
  node->scope = &scope;
}

void PoolState::spawn_from_outside(TaskNode* node, OutsideScope in) {
  count_outside_spawn(node, in);
  inject(node);
}

void PoolState::inject(TaskNode* node) noexcept { put(injected, node); }

void PoolState::bring_back(TaskNode* frame) noexcept { put(brought_back, frame); }

void PoolState::put(InjectionQueue& where, TaskNode* node) noexcept {
  const Visits::Visit visit(visits);  // once it is pushed, the frame may run, end, and with it the pool
  where.push(node);  // seq_cst; the look below comes after it
  notify();
  bell.ring();
}

void PoolState::notify() noexcept {
  // Relaxed: the event count's exchange acquired what its bit published.
  if (idle.notify_one() == EventCount::Woke::kCaller) caller_parker.load(relaxed)->unpark();
}

bool PoolState::work_visible() const noexcept {
  if (!injected.empty() || !brought_back.empty() || claims.any(seq_cst)) return true;
  for (const auto& worker : workers) {
    if (worker->queue.size() != 0 || worker->ready.size() != 0 || worker->arrived.size() != 0) {
      return true;
    }
  }
  return false;
}

// ---- scopes at rest ------------------------------------------------------------------------

Scope* PoolState::acquire_scope() {
  Worker* const w = current_worker;
  if (w != nullptr && &w->pool == this && w->scopes_at_rest != nullptr) {
    --w->num_scopes_at_rest;
    return std::exchange(w->scopes_at_rest, w->scopes_at_rest->next_free);
  }
  // Not every one, but so many that few are made while there are some to be had. Scopes stay in the
  // list, so there is no ABA. Acquire: pairs with the push below.
  Scope* scope = next_look_.load(acquire);
  for (int looks = 0; looks < kMostLooks; ++looks) {
    if (scope == nullptr && (scope = all_scopes_.load(acquire)) == nullptr) break;
    // Relaxed first: no exchange on what others use. Acquire: pairs with release_scope.
    if (!scope->in_use.load(relaxed) && !scope->in_use.exchange(true, acquire)) {
      next_look_.store(scope->next_made, release);  // passes on what we acquired
      return scope;
    }
    scope = scope->next_made;
  }
  next_look_.store(scope, release);  // on from here next time: those may be in use for long
  scope = new Scope(*this, workers.size());
  Scope* head = all_scopes_.load(relaxed);  // relaxed: a guess for the exchange
  do {
    scope->next_made = head;
    // Seq_cst: publishes the scope, and stands before a spawner's look at the closing gate.
  } while (!all_scopes_.compare_exchange_weak(head, scope, seq_cst, relaxed));
  return scope;
}

void PoolState::release_scope(Scope* scope) noexcept {
  Worker* const w = current_worker;
  // Bounded: one worker may end what another always begins.
  if (w != nullptr && &w->pool == this && w->num_scopes_at_rest < kMostScopesAtRest) {
    ++w->num_scopes_at_rest;
    scope->next_free = std::exchange(w->scopes_at_rest, scope);
  } else {
    scope->in_use.store(false, release);  // pairs with acquire_scope
  }
}

void PoolState::add_scope_counts(std::size_t worker, WorkerMetrics& to) const noexcept {
  // Acquire: pairs with acquire_scope's release. Counters relaxed: statistics.
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {
    const Scope::Counters& c = s->counters(worker);
    to.tasks_spawned += c.spawned.load(relaxed);
    if (worker == 0) to.tasks_spawned += s->counters(workers.size()).spawned.load(relaxed);
    to.awaits_inline += c.inlined.load(relaxed);
  }
  to.tasks_executed += to.awaits_inline;
}

bool PoolState::quiet() const noexcept {
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {  // as above
    if (!s->quiet()) return false;
  }
  return true;
}

std::uint64_t PoolState::scope_activity() const noexcept {
  std::uint64_t sum = 0;
  for (const Scope* s = all_scopes_.load(acquire); s != nullptr; s = s->next_made) {  // as above
    sum += s->activity();
  }
  return sum;
}

// ---- spawn_slowly --------------------------------------------------------------------------

void spawn_slowly(TaskNode* node, PoolState* pool) {
  Worker* const w = current_worker;
  if (w != nullptr && (pool == nullptr || pool == &w->pool)) return spawn_node(node);
  const OutsideScope in = outside_scope(pool);
  in.scope->pool.spawn_from_outside(node, in);
}

}  // namespace detail

// ---- the public face -----------------------------------------------------------------------

Threadpool::Threadpool(int num_threads) : Threadpool(Options{.num_threads = num_threads}) {}

Threadpool::Threadpool(Options options)
    : state_(std::make_unique<detail::PoolState>(
          *this, detail::checked_num_threads(options.num_threads), options.caller_participates,
          options.pin_threads, options.io_thread)) {}

Threadpool::~Threadpool() {
  state_->close_io();
  shutdown();
}

int Threadpool::num_threads() const noexcept { return static_cast<int>(state_->workers.size()); }

void Threadpool::sync_all() {
  if (current() == this) {
    throw std::logic_error("weft::Threadpool::sync_all from one of the pool's own tasks");
  }
  state_->wait_until_all_quiet();
}

void Threadpool::shutdown() { state_->shutdown(); }

void Threadpool::run_node(detail::TaskNode* node) {
  if (current() == this) {
    detail::spawn_node(node);
    detail::block_on(node);
  } else {
    state_->run_from_outside(node, detail::outside_scope(state_.get()));
  }
}

bool Threadpool::run_once_until(std::chrono::steady_clock::time_point deadline) {
  return state_->run_once(deadline);
}

int Threadpool::wait_fd() { return state_->bell.descriptor(); }

Metrics Threadpool::metrics() const {
  Metrics result;
  for (const auto& w : state_->workers) result.push_back(w->snapshot());
  for (WorkerMetrics& worker : result) {
    const auto i = static_cast<std::size_t>(&worker - result.data());
    state_->add_scope_counts(i, worker);
  }
  return result;
}

Threadpool* Threadpool::current() noexcept {
  const detail::Worker* const w = detail::current_worker;
  return w == nullptr ? nullptr : &w->pool.self;
}

Threadpool& Threadpool::global() {
  static Threadpool* const pool = [] {
    int num_threads = 0;
    if (const char* const text = std::getenv("WEFT_NUM_THREADS"); text != nullptr && *text != 0) {
      const char* const end = text + std::strlen(text);
      const auto [rest, error] = std::from_chars(text, end, num_threads);
      if (error != std::errc() || rest != end) {
        throw std::invalid_argument(std::string("weft: WEFT_NUM_THREADS is '") + text +
                                    "', must be a number from 0 to 32767");
      }
    }
    auto* const made = new Threadpool(num_threads);
    // Not a static object: a task that calls exit() must not wait for itself.
    std::atexit([] {
      if (current() != nullptr) return;
      global().state_->close_io();  // as the destructor does
      global().shutdown();
    });
    return made;
  }();
  return *pool;
}

}  // namespace weft
