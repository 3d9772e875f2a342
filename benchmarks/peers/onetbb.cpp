// SPDX-License-Identifier: MIT OR Apache-2.0
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "workloads.hpp"

namespace {

class OneTbb {
 public:
  explicit OneTbb(int workers)
      : limit_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(workers)),
        arena_(workers) {}

  template <class F>
  void run(const F& f) {
    arena_.execute(f);
  }

  class Group {
   public:
    template <class F>
    void spawn(F f) {
      group_.run(std::move(f));
    }
    void wait() { group_.wait(); }

   private:
    tbb::task_group group_;
  };

 private:
  tbb::global_control limit_;
  tbb::task_arena arena_;
};

}  // namespace

int main(int argc, char** argv) { return bench::peers::peer_main<OneTbb>("oneTBB", argc, argv); }
