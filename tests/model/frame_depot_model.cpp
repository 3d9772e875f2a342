// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The shared list of the frame pool: every batch comes out once, with its last user's writes.
#include "model.hpp"

#include "weft/detail/frame_depot.hpp"

namespace weft::detail::model {
namespace {

struct Batch : FreeBlock {
  Plain<int> content{0};
};

struct PutAndTake : rl::test_suite<PutAndTake, 4> {
  FrameDepot depot;
  Batch batches[2];
  Plain<int> times_taken[2];

  void before() {
    for (auto& times : times_taken) times = 0;
  }
  void take() {
    for (FreeBlock* block = depot.take_all(); block != nullptr;) {
      auto* batch = static_cast<Batch*>(block);
      block = batch->next_batch;
      MODEL_CHECK(batch->content == 1);
      batch->content = 2;  // the block is in use again
      batch->next_batch = nullptr;
      auto& times = times_taken[batch - batches];
      times = times + 1;
    }
  }
  void thread(unsigned index) {
    if (index < 2) {
      batches[index].content = 1;
      depot.put(&batches[index]);
    } else {
      take();
      take();
    }
  }
  void after() {
    take();
    MODEL_CHECK(times_taken[0] == 1 && times_taken[1] == 1);
  }
};

// A block that was taken goes straight back: what would be the ABA of a stack that pops.
struct PutAgain : rl::test_suite<PutAgain, 3> {
  FrameDepot depot;
  Batch batches[3];

  void thread(unsigned index) {
    batches[index].content = 1;
    depot.put(&batches[index]);
    FreeBlock* block = depot.take_all();
    while (block != nullptr) {
      auto* batch = static_cast<Batch*>(block);
      block = batch->next_batch;
      MODEL_CHECK(batch->content == 1);
      batch->content = 1;
      depot.put(batch);
    }
  }
  void after() {
    int count = 0;
    for (FreeBlock* block = depot.take_all(); block != nullptr; block = block->next_batch) ++count;
    MODEL_CHECK(count == 3);
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<PutAndTake>(300'000, 1) && run<PutAgain>(300'000, 1) ? 0 : 1;
}
