// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The wire: what was posted is in the inbox when it is cut, or its sender knows better.
#include "model_hub.hpp"

#include "io/wire.hpp"

namespace weft::detail::model {
namespace {

using Wire = weft::io::detail::Wire<ModelHub>;

struct Letter : MailNode {
  Plain<int> content{0};
};

// Two post while the hub cuts, which is gone after that.
struct PostAgainstCut : rl::test_suite<PostAgainstCut, 3> {
  ModelHub* hub = new ModelHub;
  Wire wire;
  Letter letters[2];
  Plain<int> last_words{0};
  Plain<bool> posted[2], received[2];

  void before() {
    for (auto& flag : posted) flag = false;
    for (auto& flag : received) flag = false;
    wire.connect(*hub);
  }
  void thread(unsigned index) {
    if (index < 2) {
      letters[index].content = 1;
      posted[index] = wire.post(letters[index], 2);
      // Whoever comes too late sees all that the hub did before.
      if (!posted[index]) MODEL_CHECK(last_words == 1 && wire.was_connected());
      return;
    }
    const auto read = [this](MailNode& node, std::uint32_t news) {
      auto& letter = static_cast<Letter&>(node);
      MODEL_CHECK(news == (2 | MailNode::kQueued) && letter.content == 1);
      received[&letter - letters] = true;
    };
    hub->read_mail(read);
    last_words = 1;
    wire.cut();
    hub->read_mail(read);
    delete hub;
  }
  void after() {
    for (int i = 0; i < 2; ++i) MODEL_CHECK(posted[i] == received[i]);
  }
};

// The owner says something and posts, twice, while the hub connects and then looks once: either it sees
// what was said, or there is mail.
struct PostAgainstConnect : rl::test_suite<PostAgainstConnect, 3> {
  ModelHub hub;
  Wire wire;
  Letter letters[2];
  Atomic<int> said[2];

  void before() {
    for (auto& word : said) word.store(0, relaxed);
  }
  void thread(unsigned index) {
    if (index < 2) {
      said[index].store(1, relaxed);
      wire.post(letters[index], 2);
      return;
    }
    wire.connect(hub);
    bool heard[2];
    for (int i = 0; i < 2; ++i) heard[i] = said[i].load(relaxed) == 1;
    while (!heard[0] || !heard[1]) {
      hub.read_mail([&](MailNode& node, std::uint32_t) {
        heard[static_cast<Letter*>(&node) - letters] = true;
      });
      if (!heard[0] || !heard[1]) hub.sleep();
    }
    wire.cut();
  }
};

// As that of a shelf: it goes from one hub to the next, and whoever posts reaches the one or the other.
struct TwoHubs : rl::test_suite<TwoHubs, 3> {
  ModelHub* hubs[2] = {new ModelHub, new ModelHub};
  Wire wire;
  Letter letters[2];
  Plain<int> posted[2], received[2];

  void before() {
    for (auto& count : posted) count = 0;
    for (auto& count : received) count = 0;
    wire.connect(*hubs[0]);
  }
  void read(ModelHub& hub) {
    hub.read_mail([this](MailNode& node, std::uint32_t) {
      auto& count = received[static_cast<Letter*>(&node) - letters];
      count = count + 1;
    });
  }
  void thread(unsigned index) {
    if (index < 2) {
      posted[index] = wire.post(letters[index], 2) ? 1 : 0;
      return;
    }
    wire.cut();
    read(*hubs[0]);
    delete hubs[0];
    wire.connect(*hubs[1]);
    wire.cut();
    read(*hubs[1]);
    delete hubs[1];
  }
  void after() {
    for (int i = 0; i < 2; ++i) MODEL_CHECK(posted[i] == received[i]);
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<PostAgainstCut>(1'000'000) && run<PostAgainstConnect>(500'000) &&
                    run<TwoHubs>(500'000);
  return good ? 0 : 1;
}
