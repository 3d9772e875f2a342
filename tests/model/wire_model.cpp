// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The wire: what was posted is in the inbox when it is cut, or its sender knows better; and the hub, the
// stream and its owner part without a touch too late. The steps of the stream are those of
// StreamState::join, drop, dropped, leave_hub, and Hub::remove.
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
      const auto reached = wire.post(letters[index], 2);
      MODEL_CHECK(reached != Wire::Reached::kTooEarly);
      posted[index] = reached == Wire::Reached::kHub;
      // Whoever comes too late sees all that the hub did before.
      if (!posted[index]) MODEL_CHECK(last_words == 1);
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
      MODEL_CHECK(wire.post(letters[index], 2) != Wire::Reached::kTooLate);
      return;
    }
    wire.connect(hub);
    bool heard[2];
    for (int i = 0; i < 2; ++i) heard[i] = said[i].load(relaxed) == 1;
    // Not cut in the end: this one goes on.
    while (!heard[0] || !heard[1]) {
      hub.read_mail([&](MailNode& node, std::uint32_t) {
        heard[static_cast<Letter*>(&node) - letters] = true;
      });
      if (!heard[0] || !heard[1]) hub.sleep();
    }
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
      posted[index] = wire.post(letters[index], 2) == Wire::Reached::kHub ? 1 : 0;
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

// std::stop_callback: its end waits for a call that is under way.
class StopCallback {
 public:
  template <class Call>
  void call(Call callback) {
    std::uint32_t state = kArmed;
    if (!state_.compare_exchange_strong(state, kRunning, acq_rel, acquire)) return;
    callback();
    state_.store(kOver, release);
    futex_wake(state_, 1);
  }
  void reset() {
    std::uint32_t state = kArmed;
    if (state_.compare_exchange_strong(state, kOver, acq_rel, acquire)) return;
    while (state_.load(acquire) != kOver) futex_wait(state_, kRunning);
  }

 private:
  static constexpr std::uint32_t kArmed = 0, kRunning = 1, kOver = 2;
  Atomic<std::uint32_t> state_{kArmed};
};

// A stream whose owner drops it, whose stop token speaks up, and whose hub goes: one of them deletes it.
struct EndOfStream : rl::test_suite<EndOfStream, 3> {
  static constexpr std::uint32_t kStop = 4, kStreamDropped = 64;

  struct Stream : MailNode {
    Wire wire;
    Atomic<std::uint32_t> hubless{0};
    Plain<int> items{1};
    Plain<bool> of_hub{true};
  };
  ModelHub* hub = new ModelHub;
  Stream* stream = new Stream;
  StopCallback on_stop;  // whose memory is the stop state's
  Plain<int> deleted{0};

  void before() {
    stream->wire.connect(*hub);
  }
  void discard_all_and_delete() {
    stream->items = 0;
    MODEL_CHECK(!stream->of_hub);
    delete stream;
    deleted = deleted + 1;
  }
  void drop() {
    if (stream->wire.post(*stream, kStreamDropped) == Wire::Reached::kHub) return;
    while (stream->hubless.load(acquire) == 0) futex_wait(stream->hubless, 0);
    discard_all_and_delete();
  }
  void remove() {
    on_stop.reset();
    hub->leave_inbox(*stream);
    stream->of_hub = false;
  }
  // \return true: it is gone
  bool turn() {
    bool gone = false;
    hub->read_mail([&](MailNode&, std::uint32_t news) {
      if ((news & kStreamDropped) == 0) return;
      stream->items = 0;
      remove();
      stream->wire.cut();
      discard_all_and_delete();
      gone = true;
    });
    return gone;
  }
  void leave_hub() {
    stream->wire.cut();
    on_stop.reset();
    const bool is_dropped = (hub->leave_inbox(*stream) & kStreamDropped) != 0;
    remove();
    if (is_dropped) return discard_all_and_delete();
    Stream* const owners = stream;
    owners->hubless.store(1, release);
    futex_wake(owners->hubless, 1);
  }
  void thread(unsigned index) {
    if (index == 0) return drop();
    if (index == 1) return on_stop.call([this] { hub->post(*stream, kStop); });
    if (!turn()) leave_hub();
    delete hub;
  }
  void after() { MODEL_CHECK(deleted == 1); }
};

// A task of another pool waits for an item while the hub goes, and then drops the stream: it gets the item,
// from the hub or by itself. The steps are those of StreamState::send and Hub::start_mail_of.
struct WaitAgainstEnd : rl::test_suite<WaitAgainstEnd, 3> {
  struct Stream {
    Wire wire;
    Atomic<std::uint32_t> hubless{0};
    Plain<int> items{2};
  };
  struct Wait : MailNode {
    Plain<int> result{0};
    Parker frame;
  };
  ModelHub* hub = new ModelHub;
  Stream* stream = new Stream;
  Wait waits[2];
  Atomic<int> left{2};
  Atomic<int> first_item{0};  // of those left over
  bool hub_took[2] = {};

  void before() { stream->wire.connect(*hub); }
  void take(Wait& wait) {
    MODEL_CHECK(stream->items != 0);
    stream->items = stream->items - 1;
    wait.result = 1;
  }
  void send(Wait& wait) {
    const auto reached = stream->wire.reach([&](ModelHub& to) { to.post(wait, 2); });
    if (reached == Wire::Reached::kHub) return wait.frame.park();
    while (stream->hubless.load(acquire) == 0) futex_wait(stream->hubless, 0);
    MODEL_CHECK(first_item.fetch_add(1, relaxed) < stream->items);
    wait.result = 1;
  }
  void start_mail() {
    for (int i = 0; i < 2; ++i) {
      if (hub_took[i] || hub->read_mail_of(waits[i]) == 0) continue;
      hub_took[i] = true;
      take(waits[i]);
    }
  }
  void thread(unsigned index) {
    if (index < 2) {
      send(waits[index]);
      MODEL_CHECK(waits[index].result == 1);
      if (left.fetch_sub(1, acq_rel) == 1) delete stream;
      return;
    }
    start_mail();  // a turn
    stream->wire.cut();
    start_mail();
    Stream* const owners = stream;
    owners->hubless.store(1, release);
    futex_wake(owners->hubless, 2);
    for (int i = 0; i < 2; ++i) {
      if (hub_took[i]) waits[i].frame.unpark();
    }
    delete hub;
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<PostAgainstCut>(500'000) && run<PostAgainstConnect>(500'000) &&
                    run<TwoHubs>(500'000) && run<EndOfStream>(500'000) && run<WaitAgainstEnd>(500'000);
  return good ? 0 : 1;
}
