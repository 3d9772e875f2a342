// SPDX-License-Identifier: MIT OR Apache-2.0
#include "harness.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void usage(const Program& program, int status) {
  std::ostream& out = status == 0 ? std::cout : std::cerr;
  out << program.workload << " on " << program.runtime
      << "\n  --workers N   worker threads (default: "
      << (program.workers == 0 ? "the CPUs of this machine" : std::to_string(program.workers))
      << ")\n  --repeats N   timed runs (default: " << program.repeats << ")\n  --warmups N   runs before those (default: " << program.warmups
      << ")\n  --json        print one JSON object\n";
  for (const Parameter& p : program.parameters) {
    out << "  --" << p.name << " N   " << p.help << " (default: " << p.value << ")\n";
  }
  std::exit(status);
}

long number(const Program& program, const std::string& name, const char* text) {
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < 0) {
    std::cerr << "--" << name << ": '" << text << "' is not a number that makes sense here\n";
    usage(program, 2);
  }
  return value;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::string kernel() {
  utsname name{};
  return uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
}

std::string compiler() {
#if defined(__clang__)
  return "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  return "gcc " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace

Options parse(int argc, char** argv, const Program& program) {
  Options options;
  options.workers = program.workers != 0
                        ? program.workers
                        : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.repeats = program.repeats;
  options.warmups = program.warmups;
  for (const Parameter& p : program.parameters) options.parameters[p.name] = p.value;

  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--json") {
      options.json = true;
      continue;
    }
    if (arg == "--help" || arg == "-h") usage(program, 0);
    const std::string name = arg.starts_with("--") ? arg.substr(2) : "";
    const bool known = name == "workers" || name == "repeats" || name == "warmups" ||
                       options.parameters.contains(name);
    if (!known || i + 1 == argc) {
      std::cerr << arg << (known ? ": needs a value\n" : ": unknown argument\n");
      usage(program, 2);
    }
    const long value = number(program, name, argv[++i]);
    const int small = static_cast<int>(std::min(value, 1'000'000L));
    if (name == "workers") {
      options.workers = std::max(1, small);
    } else if (name == "repeats") {
      options.repeats = std::max(1, small);
    } else if (name == "warmups") {
      options.warmups = small;
    } else {
      options.parameters[name] = value;
    }
  }
  return options;
}

// In KiB. Not ru_maxrss, which starts with what the process was before exec: a fork of a script.
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

Usage usage_now() {
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return {seconds(r.ru_utime) + seconds(r.ru_stime), r.ru_nvcsw, r.ru_nivcsw, peak_memory()};
}

double quantile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(fraction * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(index, values.size() - 1)];
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

Report time_repeats(const Options& options, const std::function<void()>& run,
                    const std::function<Answer()>& check, const std::function<void()>& prepare) {
  Report report;
  report.answer.correct = true;
  const auto note = [&](Answer answer) {
    // The first wrong answer stays: later right ones must not hide it.
    if (report.answer.correct) report.answer = std::move(answer);
  };
  for (int i = 0; i < options.warmups; ++i) {
    prepare();
    run();
    note(check());
  }
  for (int i = 0; i < options.repeats; ++i) {
    prepare();
    const Usage before = usage_now();
    const auto start = Clock::now();
    run();
    report.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    const Usage after = usage_now();
    const double share = 1.0 / options.repeats;
    report.cpu_seconds += share * (after.cpu_seconds - before.cpu_seconds);
    report.voluntary_switches +=
        share * static_cast<double>(after.voluntary_switches - before.voluntary_switches);
    report.involuntary_switches +=
        share * static_cast<double>(after.involuntary_switches - before.involuntary_switches);
    note(check());
  }
  return report;
}

int print(const Program& program, const Options& options, const Report& report) {
  std::vector<std::pair<std::string, double>> figures;
  if (!report.seconds.empty()) {
    figures = {{"median_s", median(report.seconds)},
               {"min_s", quantile(report.seconds, 0)},
               {"max_s", quantile(report.seconds, 1)}};
    if (report.tasks != 0) {
      figures.emplace_back("ns_per_task",
                           median(report.seconds) * 1e9 / static_cast<double>(report.tasks));
    }
  }
  figures.emplace_back("cpu_s", report.cpu_seconds);
  figures.emplace_back("voluntary_switches", report.voluntary_switches);
  figures.emplace_back("involuntary_switches", report.involuntary_switches);
  figures.emplace_back("peak_mib", static_cast<double>(usage_now().peak_kib) / 1024);
  figures.insert(figures.end(), report.figures.begin(), report.figures.end());

  if (options.json) {
    std::cout << "{\"workload\": " << quoted(program.workload)
              << ", \"runtime\": " << quoted(program.runtime)
              << ", \"workers\": " << options.workers << ", \"repeats\": " << options.repeats
              << ", \"tasks\": " << report.tasks << ", \"answer\": " << quoted(report.answer.text)
              << ", \"correct\": " << (report.answer.correct ? "true" : "false");
    for (const auto& [name, value] : options.parameters) {
      std::cout << ", " << quoted(name) << ": " << value;
    }
    for (const auto& [name, value] : figures) {
      std::cout << ", " << quoted(name) << ": " << decimal(value);
    }
    std::cout << ", \"compiler\": " << quoted(compiler()) << ", \"cpu\": " << quoted(cpu_model())
              << ", \"kernel\": " << quoted(kernel()) << "}\n";
  } else {
    std::cout << program.workload << " on " << program.runtime << ", " << options.workers
              << " workers";
    for (const auto& [name, value] : options.parameters) std::cout << ", " << name << ' ' << value;
    std::cout << ": answer " << report.answer.text
              << (report.answer.correct ? " (right)" : " (WRONG)") << '\n';
    if (report.tasks != 0) std::cout << "  tasks " << report.tasks << '\n';
    for (const auto& [name, value] : figures) std::cout << "  " << name << ' ' << decimal(value) << '\n';
  }
  return report.answer.correct ? 0 : 1;
}

int measure(const Program& program, const Options& options, std::uint64_t tasks,
            const std::function<void()>& run, const std::function<Answer()>& check) {
  Report report = time_repeats(options, run, check);
  report.tasks = tasks;
  return print(program, options, report);
}

void spin_for_us(long microseconds) {
  const auto end = Clock::now() + std::chrono::microseconds(microseconds);
  while (Clock::now() < end) {
  }
}

namespace {

/// On this thread, one body after the other.
double bodies_per_second(long microseconds) {
  std::vector<double> rates;
  for (int batch = 0; batch < 15; ++batch) {
    const long bodies = std::max(1L, 5'000 / std::max(1L, microseconds));
    const auto begin = Clock::now();
    for (long i = 0; i < bodies; ++i) spin_for_us(microseconds);
    rates.push_back(static_cast<double>(bodies) /
                    std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return median(std::move(rates));
}

}  // namespace

void add_share_of_ideal(Report& report, const Options& options, long tasks, long microseconds) {
  const auto cpus = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<double> rates(static_cast<std::size_t>(std::min(options.workers, cpus)));
  {
    std::vector<std::jthread> threads;
    for (double& rate : rates) {
      threads.emplace_back([&rate, microseconds] { rate = bodies_per_second(microseconds); });
    }
  }
  const double mean_rate =
      std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(rates.size());
  const double ideal = static_cast<double>(tasks) / (mean_rate * options.workers);
  report.figures = {{"ideal_s", ideal}, {"efficiency", ideal / median(report.seconds)}};
}

Answer expect(std::uint64_t got, std::uint64_t want) { return {std::to_string(got), got == want}; }

}  // namespace bench
