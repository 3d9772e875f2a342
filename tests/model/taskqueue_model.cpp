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

using Queue = Taskqueue<Node, 2>;

template <class Derived, unsigned kThreads, int kNodes>
struct QueueModel : rl::test_suite<Derived, kThreads> {
  std::unique_ptr<Queue> queue = std::make_unique<Queue>();
  Node nodes[kNodes];

  void push(int i) {
    nodes[i].fill();
    queue->make_room();
    queue->push(&nodes[i]);
  }
  void pop() {
    if (Node* node = queue->pop()) node->take();
  }
  void steal(int times) {
    for (int i = 0; i < times; ++i) {
      Node* node = nullptr;
      if (queue->steal(node) == Queue::Steal::kGot) node->take();
    }
  }
  void after() {
    while (Node* node = queue->pop()) node->take();
    for (Node& node : nodes) MODEL_CHECK(node.value == 2);
    MODEL_CHECK(queue->size() == 0);
  }
};

// The owner and two thieves after one node, again and again in the same slots.
struct LastElement : QueueModel<LastElement, 3, 3> {
  void thread(unsigned index) {
    if (index != 0) return steal(2);
    for (int i = 0; i < 3; ++i) {
      push(i);
      pop();
    }
  }
};

// Five nodes in a queue that starts with room for two, while thieves are at the old buffers.
struct Growth : QueueModel<Growth, 3, 5> {
  void thread(unsigned index) {
    if (index != 0) return steal(3);
    push(0);
    push(1);
    pop();
    for (int i = 2; i < 5; ++i) push(i);
    pop();
    pop();
  }
};

// A node from below others, which are turned around meanwhile.
struct Buried : QueueModel<Buried, 3, 3> {
  void thread(unsigned index) {
    if (index != 0) return steal(2);
    for (int i = 0; i < 3; ++i) push(i);
    if (queue->pop_buried(&nodes[1])) nodes[1].take();
    if (queue->pop_if(&nodes[0])) nodes[0].take();
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<LastElement>(300'000, 2) && run<Growth>(300'000) && run<Buried>(300'000);
  return good ? 0 : 1;
}
