// SPDX-License-Identifier: MIT OR Apache-2.0
// How long until somebody acts: from spawn on an outside thread to the task's
// first instruction (pool idle, pool busy), and from a task's last instruction
// to the next one of whoever awaits it.
#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "support/harness.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Distribution = std::vector<double>;

double us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

struct Probe {
  Clock::time_point first, last;
};

/// Its first and last instruction as seen by the clock.
Probe touch() {
  const auto now = Clock::now();
  return {now, now};
}

/// A worker kept busy for a millisecond, in pieces between which it may look up.
weft::Task<> busy() {
  for (int i = 0; i < 50; ++i) {
    weft::Flowvar<> piece = weft::spawn(bench::spin_for_us, 20);
    co_await std::move(piece);
  }
}

/// Awaits a child that certainly runs on another worker: it has begun before
/// this one, which never lets go of its own, awaits it.
weft::Task<double> await_stolen() {
  std::atomic<bool> begun = false;
  weft::Flowvar<Clock::time_point> child = weft::spawn([&begun] {
    begun = true;
    bench::spin_for_us(20);  // long enough for the parent to park
    return Clock::now();
  });
  while (!begun) std::this_thread::yield();
  const auto last = co_await std::move(child);
  co_return us_between(last, Clock::now());
}

void add(bench::Report& report, const std::string& name, const Distribution& us) {
  report.figures.emplace_back(name + "_p50_us", bench::quantile(us, 0.5));
  report.figures.emplace_back(name + "_p99_us", bench::quantile(us, 0.99));
  report.figures.emplace_back(name + "_p999_us", bench::quantile(us, 0.999));
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Program program{"latency", "weft", {{"size", 5000, "samples of each"}}};
  const bench::Options options = bench::parse(argc, argv, program);
  const long samples = options["size"];
  weft::Threadpool pool(
      weft::Threadpool::Options{.num_threads = options.workers, .caller_participates = false});

  bench::Report report;
  Distribution spawn_idle, sync_idle, spawn_busy, await;
  for (long i = 0; i < samples; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));  // let the workers park
    const auto spawned = Clock::now();
    const Probe probe = pool.sync(pool.spawn(touch));
    sync_idle.push_back(us_between(probe.last, Clock::now()));
    spawn_idle.push_back(us_between(spawned, probe.first));
  }
  for (long i = 0; i < samples / 10; ++i) {
    for (int w = 0; w < options.workers; ++w) pool.spawn_detached(busy());
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    const auto spawned = Clock::now();
    const Probe probe = pool.sync(pool.spawn(touch));
    spawn_busy.push_back(us_between(spawned, probe.first));
    pool.sync_all();
  }
  // One worker alone has nobody to steal from it.
  if (options.workers > 1) {
    for (long i = 0; i < samples; ++i) await.push_back(pool.run(await_stolen()));
    add(report, "complete_to_awaiter", await);
  }
  add(report, "spawn_to_start_idle", spawn_idle);
  add(report, "spawn_to_start_busy", spawn_busy);
  add(report, "complete_to_sync", sync_idle);
  report.answer = bench::expect(spawn_idle.size(), static_cast<std::uint64_t>(samples));
  return bench::print(program, options, report);
}
