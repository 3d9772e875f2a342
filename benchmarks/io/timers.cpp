// SPDX-License-Identifier: MIT OR Apache-2.0
// Ten thousand timers at a time: a task each that sleeps.
#include <weft/io.hpp>
#include <weft/weft.hpp>

#include "runtime.hpp"

namespace {

using bench::io::Alarms;

weft::Task<> wait_for(Alarms& alarms, std::size_t i) {
  (co_await weft::io::sleep_until(alarms.due(i))).value();
  alarms.rings(i);
}

void wait_for_all(Alarms& alarms, const bench::Options& options) {
  weft::Threadpool pool(options.workers);
  pool.run(weft::sync_scope([&alarms]() -> weft::Task<> {
    for (std::size_t i = 0; i < alarms.count(); ++i) weft::spawn_detached(wait_for(alarms, i));
    co_return;
  }));
}

}  // namespace

int main(int argc, char** argv) {
  return bench::io::run(
      {.name = "weft (" + std::string(weft::io::backend()) + ")", .wait = wait_for_all},
      "io_timers", argc, argv);
}
