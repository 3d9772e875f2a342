// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The deque: every node is taken exactly once, and whoever takes it sees what the pusher wrote.
#include "model.hpp"

#include "weft/detail/taskqueue.hpp"

namespace weft::detail::model {
namespace {

struct Node {
  Plain<int> value{0};  // 1 once pushed, 2 once taken

  void fill() { value = 1; }
  // A race detector sees a node taken twice even if the second taker comes later.
  void take() {
    MODEL_CHECK(value == 1);
    value = 2;
  }
};

// Room for two; a thief gives the owner one step's time to answer before it opens the queue itself.
using Queue = Taskqueue<Node, 2, 1>;

// With membarrier(2) or without.
enum class Fences { kAsymmetric, kFull };

template <class Derived, unsigned kThreads, int kNodes, Fences kFences>
struct QueueModel : rl::test_suite<Derived, kThreads> {
  std::unique_ptr<Queue> queue = std::make_unique<Queue>(kFences == Fences::kFull);
  Node nodes[kNodes];

  void push(int i) {
    nodes[i].fill();
    queue->make_room();
    queue->push(&nodes[i]);
  }
  void pop() {
    if (Node* node = queue->pop()) node->take();
  }
  void steal(unsigned self, int times) {
    for (int i = 0; i < times; ++i) {
      Node* node = nullptr;
      if (queue->steal(node, self) == Queue::Steal::kGot) node->take();
    }
  }
  void after() {
    while (Node* node = queue->pop()) node->take();
    for (Node& node : nodes) MODEL_CHECK(node.value == 2);
    MODEL_CHECK(queue->size() == 0);
  }
};

// The owner and two thieves after one node, again and again.
template <Fences kFences>
struct LastElement : QueueModel<LastElement<kFences>, 3, 3, kFences> {
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 2);
    for (int i = 0; i < 3; ++i) {
      this->push(i);
      this->pop();
    }
  }
};

// Five nodes in a queue that starts with room for two, while thieves are at the old buffers.
template <Fences kFences>
struct Growth : QueueModel<Growth<kFences>, 3, 5, kFences> {
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 3);
    this->push(0);
    this->push(1);
    this->pop();
    for (int i = 2; i < 5; ++i) this->push(i);
    this->pop();
    this->pop();
  }
};

// A node from below others, which are turned around meanwhile.
template <Fences kFences>
struct Buried : QueueModel<Buried<kFences>, 3, 4, kFences> {
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 2);
    for (int i = 0; i < 4; ++i) this->push(i);
    if (this->queue->pop_buried(&this->nodes[1])) this->nodes[1].take();
    if (this->queue->pop_if(&this->nodes[2])) this->nodes[2].take();
    this->pop();
  }
};

// The owner opens its queue as well, takes back what nobody took, and uses the same slots again.
struct TakenBack : QueueModel<TakenBack, 3, 4, Fences::kAsymmetric> {
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 2);
    push(0);
    push(1);
    queue->share();
    pop();
    push(2);
    queue->share();
    pop();
    pop();
    push(3);
    pop();
  }
};

// The same, such that the front might come to look as before: a thief that has slept meanwhile must
// not get an old node for a new one.
struct SlotsAgain : QueueModel<SlotsAgain, 2, 6, Fences::kAsymmetric> {
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 1);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 3; ++i) push(3 * round + i);
      queue->share();
      if (round == 0) {
        for (int i = 0; i < 3; ++i) pop();
      }
    }
  }
};

// Thieves that steal what is public only, beside one that asks.
struct Public : QueueModel<Public, 3, 3, Fences::kAsymmetric> {
  void thread(unsigned index) {
    if (index == 1) return this->steal(index, 2);
    if (index == 2) {
      Node* node = nullptr;
      for (int i = 0; i < 2; ++i) {
        if (queue->steal_public(node) == Queue::Steal::kGot) node->take();
      }
      return;
    }
    for (int i = 0; i < 3; ++i) push(i);
    pop();
    pop();
  }
};

// First in, first out: the owner takes at the old end, too.
template <Fences kFences>
struct OldEnd : QueueModel<OldEnd<kFences>, 3, 4, kFences> {
  void take() {
    this->queue->share();
    Node* node = nullptr;
    if (this->queue->steal_public(node) == Queue::Steal::kGot) node->take();
  }
  void thread(unsigned index) {
    if (index != 0) return this->steal(index, 2);
    this->push(0);
    this->push(1);
    take();
    this->push(2);
    take();
    this->push(3);
    take();
    take();
  }
};

// A thief that finds work in a queue whose owner never comes by gets it: nothing stays hidden.
struct LongTask : QueueModel<LongTask, 3, 3, Fences::kAsymmetric> {
  Atomic<int> got{0};
  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 3; ++i) push(i);
      return;
    }
    for (Node* node = nullptr; got.load(relaxed) < 3;) {
      if (queue->steal(node, index) == Queue::Steal::kGot) {
        node->take();
        got.fetch_add(1, relaxed);
      } else {
        rl::yield(1, Where{});
      }
    }
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  constexpr auto kAsymmetric = Fences::kAsymmetric, kFull = Fences::kFull;
  const bool good = run<LastElement<kAsymmetric>>(300'000, 2) &&
                    run<Growth<kAsymmetric>>(300'000) && run<Buried<kAsymmetric>>(300'000) &&
                    run<TakenBack>(300'000) && run<SlotsAgain>(100'000, 2) &&
                    run<Public>(300'000) && run<OldEnd<kAsymmetric>>(300'000) && run<LongTask>(100'000) &&
                    run<LastElement<kFull>>(200'000) && run<Growth<kFull>>(200'000) &&
                    run<Buried<kFull>>(200'000) && run<OldEnd<kFull>>(200'000);
  return good ? 0 : 1;
}
