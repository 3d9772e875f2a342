// SPDX-License-Identifier: MIT OR Apache-2.0
// The parts one by one: where a nanosecond of the fib figure comes from.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include <weft/detail/frame_pool.hpp>
#include <weft/detail/taskqueue.hpp>
#include <weft/weft.hpp>

namespace {

using Queue = weft::detail::Taskqueue<int>;

void queue_push_pop(benchmark::State& state) {
  Queue queue;
  int item = 0;
  for (auto _ : state) {
    queue.make_room();
    queue.push(&item);
    benchmark::DoNotOptimize(queue.pop());
  }
}
BENCHMARK(queue_push_pop);

/// Alone: the instructions of a steal, not the traffic of cache lines.
void queue_push_steal(benchmark::State& state) {
  Queue queue;
  int item = 0;
  int* stolen = nullptr;
  for (auto _ : state) {
    queue.make_room();
    queue.push(&item);
    benchmark::DoNotOptimize(queue.steal(stolen, 0));
  }
}
BENCHMARK(queue_push_steal);

/// Push and pop while another thread steals whatever it finds.
void queue_push_pop_contended(benchmark::State& state) {
  Queue queue;
  std::atomic<bool> stop = false;
  std::atomic<std::int64_t> stolen = 0;
  std::thread thief([&] {
    int* item = nullptr;
    while (!stop) {
      if (queue.steal(item, 0) == Queue::Steal::kGot) stolen.fetch_add(1, std::memory_order_relaxed);
    }
  });
  int item = 0;
  for (auto _ : state) {
    queue.make_room();
    queue.push(&item);
    benchmark::DoNotOptimize(queue.pop());
  }
  stop = true;
  thief.join();
  state.counters["stolen"] = benchmark::Counter(static_cast<double>(stolen.load()) /
                                                static_cast<double>(state.iterations()));
}
BENCHMARK(queue_push_pop_contended)->UseRealTime();

void frame_allocate_free(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* frame = weft::detail::allocate_frame(size);
    benchmark::DoNotOptimize(frame);
    weft::detail::free_frame(frame, size);
  }
}
BENCHMARK(frame_allocate_free)->Arg(64)->Arg(192)->Arg(2048);

weft::Task<int> leaf() { co_return 1; }

weft::Task<std::int64_t> await_calls(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += co_await leaf();
  co_return sum;
}

weft::Task<std::int64_t> spawn_and_await(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    weft::Flowvar<int> child = weft::spawn(leaf());
    sum += co_await std::move(child);
  }
  co_return sum;
}

/// A child that runs on another worker: it has begun before it is awaited, and
/// the parent holds its own worker meanwhile.
weft::Task<std::int64_t> spawn_and_await_stolen(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::atomic<bool> begun = false;
    weft::Flowvar<int> child = weft::spawn([&begun] {
      begun.store(true, std::memory_order_release);
      return 1;
    });
    while (!begun.load(std::memory_order_acquire)) std::this_thread::yield();
    sum += co_await std::move(child);
  }
  co_return sum;
}

using Body = weft::Task<std::int64_t> (*)(std::int64_t);

void in_pool(benchmark::State& state, int workers, std::int64_t batch, Body body) {
  weft::Threadpool pool(
      weft::Threadpool::Options{.num_threads = workers, .caller_participates = false});
  for (auto _ : state) {
    if (pool.run(body(batch)) != batch) state.SkipWithError("a task was lost");
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK_CAPTURE(in_pool, call, 1, 100'000, await_calls)->UseRealTime();
BENCHMARK_CAPTURE(in_pool, spawn_await_unstolen, 1, 100'000, spawn_and_await)->UseRealTime();
BENCHMARK_CAPTURE(in_pool, spawn_await_stolen, 2, 1000, spawn_and_await_stolen)->UseRealTime();

/// From an outside thread to a parked worker and back.
void wake_up(benchmark::State& state) {
  weft::Threadpool pool(
      weft::Threadpool::Options{.num_threads = 1, .caller_participates = false});
  for (auto _ : state) {
    state.PauseTiming();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    state.ResumeTiming();
    benchmark::DoNotOptimize(pool.run(leaf()));
  }
}
BENCHMARK(wake_up)->UseRealTime()->Iterations(2000);

}  // namespace

BENCHMARK_MAIN();
