// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/threadpool.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "weft/detail/pool_state.hpp"
#include "weft/detail/topology.hpp"

namespace weft {

namespace {

int checked_num_threads(int requested) {
  if (requested < 0 || requested > static_cast<int>(detail::EventCount::kMaxThreads)) {
    throw std::invalid_argument("weft::Threadpool: num_threads is " + std::to_string(requested) +
                                ", must be 0 (as many as CPUs) to " +
                                std::to_string(detail::EventCount::kMaxThreads));
  }
  return requested == 0 ? available_parallelism() : requested;
}

}  // namespace

Threadpool::Threadpool(int num_threads) : Threadpool(Options{.num_threads = num_threads}) {}

Threadpool::Threadpool(Options options)
    : state_(std::make_unique<detail::PoolState>(
          *this, checked_num_threads(options.num_threads), options.caller_participates,
          options.pin_threads, options.io_thread)) {}

Threadpool::~Threadpool() { state_->cancel_and_shutdown(); }

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
      global().state_->cancel_and_shutdown();  // as the destructor does
    });
    return made;
  }();
  return *pool;
}

}  // namespace weft
