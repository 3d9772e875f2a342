// SPDX-License-Identifier: MIT OR Apache-2.0
#include "weft/metrics.hpp"

#include <iomanip>
#include <ostream>

namespace weft {

namespace {

struct Column {
  const char* name;
  std::uint64_t WorkerMetrics::*value;
};

constexpr Column kColumns[] = {
    {"tasks_spawned", &WorkerMetrics::tasks_spawned},
    {"tasks_executed", &WorkerMetrics::tasks_executed},
    {"steals", &WorkerMetrics::steals},
    {"steals_half", &WorkerMetrics::steals_half},
    {"leapfrogs", &WorkerMetrics::leapfrogs},
    {"awaits_inline", &WorkerMetrics::awaits_inline},
    {"awaits_parked", &WorkerMetrics::awaits_parked},
    {"sleeps", &WorkerMetrics::sleeps},
    {"wakes", &WorkerMetrics::wakes},
};
constexpr int kWidth = 15;

void print_row(std::ostream& out, const WorkerMetrics& row) {
  for (const Column& c : kColumns) out << std::setw(kWidth) << row.*c.value;
  out << '\n';
}

}  // namespace

WorkerMetrics Metrics::total() const {
  WorkerMetrics sum;
  for (const WorkerMetrics& worker : *this) {
    for (const Column& c : kColumns) sum.*c.value += worker.*c.value;
  }
  return sum;
}

std::ostream& operator<<(std::ostream& out, const Metrics& metrics) {
  out << std::setw(8) << "worker";
  for (const Column& c : kColumns) out << std::setw(kWidth) << c.name;
  out << '\n';
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    out << std::setw(8) << i;
    print_row(out, metrics[i]);
  }
  out << std::setw(8) << "total";
  print_row(out, metrics.total());
  return out;
}

}  // namespace weft
