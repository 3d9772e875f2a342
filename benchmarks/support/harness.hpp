// SPDX-License-Identifier: MIT OR Apache-2.0
// What every benchmark program shares: named integer parameters on the command
// line, timed repeats that each check their answer, and one report, for people
// or (--json) for benchmarks/run.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Parameter {
  std::string name;
  long value;
  std::string help;
};

struct Program {
  std::string workload;
  std::string runtime;
  std::vector<Parameter> parameters;  // beyond --workers, --repeats, --warmups
  int repeats = 5;
  int warmups = 1;
  int workers = 0;  // unless told otherwise; 0: the CPUs of this machine
};

struct Options {
  int workers = 0;
  int repeats = 0;
  int warmups = 0;
  bool json = false;
  std::map<std::string, long> parameters;

  long operator[](const std::string& name) const { return parameters.at(name); }
};

/// Exits with a message on arguments that make no sense, and after --help.
Options parse(int argc, char** argv, const Program& program);

/// What the operating system accounts to this process.
struct Usage {
  double cpu_seconds;
  long voluntary_switches;
  long involuntary_switches;
  long peak_kib;
};
Usage usage_now();

struct Answer {
  std::string text;
  bool correct;
};

struct Report {
  std::vector<double> seconds;  // one per repeat; may be empty (idle, latency)
  std::uint64_t tasks = 0;      // per repeat
  double cpu_seconds = 0;       // per repeat
  double voluntary_switches = 0;
  double involuntary_switches = 0;
  Answer answer{"none", false};
  std::vector<std::pair<std::string, double>> figures;  // the workload's own
};

/// Prints the report; the exit status says whether the answer was right.
int print(const Program& program, const Options& options, const Report& report);

/// Times `run` options.repeats times after the warm-ups. `check` runs untimed
/// after each, so that checking can be thorough, and `prepare` before each.
Report time_repeats(const Options& options, const std::function<void()>& run,
                    const std::function<Answer()>& check,
                    const std::function<void()>& prepare = [] {});

/// time_repeats and print in one, for the programs that need no more.
int measure(const Program& program, const Options& options, std::uint64_t tasks,
            const std::function<void()>& run, const std::function<Answer()>& check);

double median(std::vector<double> values);
/// The smallest value that at least `fraction` of the values do not exceed.
double quantile(std::vector<double> values, double fraction);

/// Counts what the tasks of all threads have done. Each of the first 64 threads has a place of its own:
/// tasks of 1 µs should measure the runtime, not how a counter's cache line goes to and fro.
class Tally {
 public:
  void add_one() noexcept {
    static std::atomic<std::size_t> threads = 0;
    thread_local const std::size_t place = threads.fetch_add(1, std::memory_order_relaxed);
    places_[place % places_.size()].count.fetch_add(1, std::memory_order_relaxed);
  }
  /// While no task counts.
  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const Place& place : places_) sum += place.count.load(std::memory_order_relaxed);
    return sum;
  }
  void reset() noexcept {
    for (Place& place : places_) place.count.store(0, std::memory_order_relaxed);
  }

 private:
  struct alignas(128) Place {
    std::atomic<std::uint64_t> count = 0;
  };
  std::array<Place, 64> places_;
};

/// Occupies the CPU for that long, as a task body of known length.
void spin_for_us(long microseconds);

/// For `tasks` of such bodies: the time that they need if the workers share them perfectly, and how much of
/// the measured time that is. A body takes a little longer than it says, as long as a look at the clock, and not
/// equally long on each CPU; so as many threads as there are workers (at most one per CPU) run some at the same
/// time, one after the other, and what those take counts.
void add_share_of_ideal(Report& report, const Options& options, long tasks, long microseconds);

/// Compares two numbers and shows what was computed.
Answer expect(std::uint64_t got, std::uint64_t want);

}  // namespace bench
