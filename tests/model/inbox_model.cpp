// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A hub's inbox: what is posted is read, once, with all that its sender wrote before, in the order of one
// sender's posts; and a reactor, which is signalled by whoever pushes first only, is not left asleep.
#include "model.hpp"

#include "io/inbox.hpp"
#include "weft/detail/parker.hpp"

namespace weft::detail::model {
namespace {

struct Node {
  static constexpr std::uint32_t kQueued = 1;

  Plain<Node*> next_in_inbox{nullptr};
  Atomic<std::uint32_t> news{0};
};

using Inbox = io::detail::Inbox<Node>;

// Two threads post to a shared node, each a bit of its own, and each pushes a node that only it has.
struct Posted : rl::test_suite<Posted, 3> {
  Inbox inbox;
  Parker reader;
  Node shared;
  Node own[2];
  Plain<int> said[2];  // before the bit
  Plain<int> pushed[2];
  std::uint32_t seen = 0;
  int seen_own = 0;

  void before() {
    for (int i = 0; i < 2; ++i) {
      said[i] = 0;
      pushed[i] = 0;
    }
  }
  void signal(bool was_empty) {
    if (was_empty) reader.unpark();
  }
  void send(unsigned index) {
    said[index] = 1;
    signal(inbox.post(shared, 2u << index));
    pushed[index] = 1;
    signal(inbox.push(own[index]));
  }
  void read(Node& node) {
    if (&node != &shared) {
      const int index = static_cast<int>(&node - own);
      MODEL_CHECK(pushed[index] == 1);
      MODEL_CHECK((seen & (2u << index)) != 0 || (shared.news.load(relaxed) & (2u << index)) != 0);
      ++seen_own;
      return;
    }
    const std::uint32_t news = io::detail::take_news(node);
    MODEL_CHECK((news & ~1u) != 0 && (news & seen & ~1u) == 0);
    seen |= news;
    for (unsigned i = 0; i < 2; ++i) {
      if ((news & (2u << i)) != 0) MODEL_CHECK(said[i] == 1);
    }
  }
  void thread(unsigned index) {
    if (index < 2) return send(index);
    for (;;) {
      inbox.take();
      while (Node* const node = inbox.next()) read(*node);
      if (seen == 7 && seen_own == 2) return;
      if (inbox.empty()) reader.park();
    }
  }
  void after() {
    MODEL_CHECK(inbox.empty());
    MODEL_CHECK((shared.news.load(relaxed) & ~1u) == 0);
  }
};

// Nodes are taken out of the middle, by what they are, and end while others are posted.
struct TakenOut : rl::test_suite<TakenOut, 3> {
  Inbox inbox;
  Node* nodes[3] = {new Node, new Node, new Node};
  Atomic<int> posted{0};
  bool gone[3] = {};

  void end(int i) {
    delete nodes[i];
    gone[i] = true;
  }
  void thread(unsigned index) {
    if (index < 2) {
      inbox.post(*nodes[index], 2);
      if (index == 0) inbox.post(*nodes[2], 2);
      posted.fetch_or(1 << index, release);
      return;
    }
    inbox.take();
    Node* const last = nodes[2];
    if (inbox.take_out([last](const Node& one) { return &one == last; }) != nullptr) {
      MODEL_CHECK((io::detail::take_news(*nodes[2]) & 2) != 0);
      end(2);
    }
    for (int i = 0; i < 2; ++i) {
      if ((posted.load(acquire) & (1 << i)) == 0) continue;
      MODEL_CHECK(inbox.clear(*nodes[i]) == 3);
      end(i);
    }
    while (!(gone[0] && gone[1] && gone[2])) {
      inbox.take();
      while (Node* const node = inbox.next()) {
        const std::uint32_t news = io::detail::take_news(*node);
        MODEL_CHECK(news == 3);
        end(node == nodes[0] ? 0 : node == nodes[1] ? 1 : 2);
      }
    }
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  return run<Posted>(500'000) && run<TakenOut>(500'000) ? 0 : 1;
}
