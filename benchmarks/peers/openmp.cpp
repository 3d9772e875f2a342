// SPDX-License-Identifier: MIT OR Apache-2.0
#include "workloads.hpp"

namespace {

class OpenMp {
 public:
  explicit OpenMp(int workers) : workers_(workers) {}

  template <class F>
  void run(const F& f) {
#pragma omp parallel num_threads(workers_)
#pragma omp single
    f();
  }

  /// OpenMP waits for all children of the current task, which are this group's.
  class Group {
   public:
    template <class F>
    void spawn(F f) {
#pragma omp task default(none) firstprivate(f)
      f();
    }
    void wait() {
#pragma omp taskwait
    }
  };

 private:
  int workers_;
};

}  // namespace

int main(int argc, char** argv) { return bench::peers::peer_main<OpenMp>("OpenMP", argc, argv); }
