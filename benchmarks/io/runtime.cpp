// SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace bench::io {
namespace {

// Whoever waits for what will not come any more is not left waiting.
[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "failed: %s\n", why);
  std::_Exit(1);
}

void or_fail(const auto& part) {
  try {
    part();
  } catch (const std::exception& error) {
    fail(error.what());
  }
}

void end_after(long seconds) {
  signal(SIGALRM, [](int) {
    constexpr char kText[] = "failed: not done in time, see --limit\n";
    (void)!write(STDERR_FILENO, kText, sizeof kText - 1);
    _Exit(1);
  });
  alarm(static_cast<unsigned>(seconds));
}

/// Quantiles of each repeat.
class Delays {
 public:
  void add(const auto& ends) {
    std::vector<double> all;
    for (const auto& end : ends) {
      const std::vector<float>& some = end.delays();
      all.insert(all.end(), some.begin(), some.end());
    }
    p50_.push_back(quantile(all, 0.5));
    p99_.push_back(quantile(std::move(all), 0.99));
  }
  double p50() const { return median(p50_); }
  double p99() const { return median(p99_); }
  void forget() { p50_.clear(), p99_.clear(); }

 private:
  std::vector<double> p50_, p99_;
};

/// A workload: what precedes each run, the run, and what it was like.
struct Trial {
  std::uint64_t operations;
  std::function<void()> prepare;
  std::function<void()> run;
  std::function<std::uint64_t(Delays&)> done;  // how many of the operations
};

int measure(const Program& program, const Options& options, const Trial& trial) {
  Delays delays;
  int turn = 0;
  Report report = time_repeats(
      options, trial.run,
      [&] {
        if (turn++ == options.warmups) delays.forget();
        return expect(trial.done(delays), trial.operations);
      },
      trial.prepare);
  const auto count = static_cast<double>(trial.operations);
  report.tasks = trial.operations;
  report.figures = {{"per_second", count / median(report.seconds)},
                    {"p50_us", delays.p50()},
                    {"p99_us", delays.p99()},
                    {"cpu_us", report.cpu_seconds * 1e6 / count}};
  return print(program, options, report);
}

int converse(const Runtime& runtime, const Program& program, const Options& options,
             const std::function<Conversation()>& begin) {
  Conversation talk;
  Trial trial;
  trial.operations = static_cast<std::uint64_t>(options["size"]);
  trial.prepare = [&] { talk = begin(); };
  trial.run = [&] {
    std::thread other([&] { or_fail([&] { runtime.talk(talk.servers, options); }); });
    or_fail([&] { runtime.talk(talk.clients, options); });
    other.join();
  };
  trial.done = [&](Delays& delays) {
    delays.add(talk.clients);
    std::uint64_t answered = 0;
    for (const Speaker& server : talk.servers)
      answered += static_cast<std::uint64_t>(server.answered());
    return answered;
  };
  return measure(program, options, trial);
}

int socket_st(const Runtime& runtime, const Program& program, const Options& options) {
  const Script http{"GET /hello HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Length: 12\r\n\r\nHello World!"};
  return converse(runtime, program, options,
                  [&] { return over_tcp(http, options["connections"], options["size"]); });
}

int echo(const Runtime& runtime, const Program& program, const Options& options) {
  Script script;
  for (char i = 0; i < 64; ++i) script.request += static_cast<char>(' ' + i);
  return converse(runtime, program, options,
                  [&] { return over_tcp(script, options["connections"], options["size"]); });
}

int pipe(const Runtime& runtime, const Program& program, const Options& options) {
  const Script script{"?", ""};
  return converse(runtime, program, options, [&] { return over_pipes(script, options["size"]); });
}

int file(const Runtime& runtime, const Program& program, const Options& options) {
  const BlockFile blocks(options["blocks"], options["direct"] != 0);
  const long depth = std::max(1L, options["depth"]), reads = options["size"];
  std::vector<Reader> readers;
  Trial trial;
  trial.operations = static_cast<std::uint64_t>(reads);
  trial.prepare = [&] {
    readers.clear();
    for (long i = 0; i < depth; ++i) {
      readers.emplace_back(blocks, static_cast<std::uint32_t>(i),
                           reads / depth + (i < reads % depth ? 1 : 0));
    }
  };
  trial.run = [&] { or_fail([&] { runtime.read(readers, options); }); };
  trial.done = [&](Delays& delays) {
    delays.add(readers);
    std::uint64_t done = 0;
    for (const Reader& reader : readers) done += reader.delays().size();
    return done;
  };
  return measure(program, options, trial);
}

int timers(const Runtime& runtime, const Program& program, const Options& options) {
  const auto count = static_cast<std::size_t>(options["size"]);
  std::vector<Alarms> alarms;
  Trial trial;
  trial.operations = count;
  trial.prepare = [] {};
  trial.run = [&] {
    alarms.assign(1, Alarms(count));
    or_fail([&] { runtime.wait(alarms.front(), options); });
  };
  trial.done = [&](Delays& delays) {
    delays.add(alarms);
    return alarms.front().right();
  };
  return measure(program, options, trial);
}

struct Workload {
  int (*run)(const Runtime&, const Program&, const Options&);
  std::vector<Parameter> parameters;
  bool by_hand = true;  // also by programs that have no workers
};

const std::map<std::string, Workload>& workloads() {
  static const Parameter connections{"connections", 20, "connections"};
  static const Parameter multishot{"multishot", 1,
                                   "1: one request to the kernel receives many times"};
  static const std::map<std::string, Workload> all{
      {"io_socket_st",
       {socket_st,
        {{"size", 100'000, "requests, of all connections together"}, connections, multishot}}},
      {"io_echo",
       {echo,
        {{"size", 100'000, "messages, of all connections together"}, connections, multishot}}},
      {"io_busy",
       {echo,
        {{"size", 20'000, "messages, of all connections together"},
         connections,
         multishot,
         {"grain", 1'000, "microseconds of each task that the server's workers compute"},
         {"io_thread", 0, "1: the server's pool has an I/O thread"}},
        false}},
      {"io_pipe", {pipe, {{"size", 20'000, "round trips"}}}},
      {"io_file",
       {file,
        {{"size", 100'000, "reads"},
         {"depth", 32, "reads in flight"},
         {"blocks", 16'384, "of 4 KiB: the file's size"},
         {"direct", 0, "1: without the page cache"}}}},
      {"io_timers", {timers, {{"size", 10'000, "timers"}}}},
  };
  return all;
}

}  // namespace

int run(const Runtime& runtime, const std::string& workload, int argc, char** argv) {
  const auto found = workloads().find(workload);
  if (found == workloads().end()) {
    std::cerr << argv[0] << ": the workloads are";
    for (const auto& [name, w] : workloads()) std::cerr << ' ' << name;
    std::cerr << '\n';
    return 2;
  }
  if (runtime.single_threaded && !found->second.by_hand) {
    std::cerr << runtime.name << " has no workers that could compute\n";
    return 77;  // skipped, as Meson has it
  }
  Program program{workload, runtime.name, found->second.parameters};
  program.parameters.push_back({"limit", 300, "seconds after which it gives up"});
  program.workers = 1;
  const Options options = parse(argc, argv, program);
  if (runtime.single_threaded && options.workers != 1) {
    std::cerr << runtime.name << " has one thread per end: --workers 1\n";
    return 2;
  }
  end_after(options["limit"]);
  int status = 1;
  or_fail([&] { status = found->second.run(runtime, program, options); });
  return status;
}

}  // namespace bench::io
