// SPDX-License-Identifier: MIT OR Apache-2.0
#include <future>

#include "workloads.hpp"

namespace {

/// A thread per task, whatever --workers says: std::async has no pool. Only small
/// sizes finish.
class Async {
 public:
  explicit Async(int) {}

  template <class F>
  void run(const F& f) {
    f();
  }

  class Group {
   public:
    template <class F>
    void spawn(F f) {
      children_.push_back(std::async(std::launch::async, std::move(f)));
    }
    void wait() {
      for (auto& child : children_) child.get();
    }

   private:
    std::vector<std::future<void>> children_;
  };
};

}  // namespace

int main(int argc, char** argv) {
  return bench::peers::peer_main<Async>("std::async", argc, argv);
}
