// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The shelf: each buffer comes back once, with its last user's reads done; a stream that waits for one
// is told; and the shelf outlives all who use it, whichever hub has it. The steps are those of Shelf,
// Hub::read_mail_of, RecvStream::end, StreamState::drop and leave_hub, and ~BufferPool.
#include "model_hub.hpp"

#include "io/buffer_returns.hpp"
#include "io/tenancy.hpp"
#include "io/wire.hpp"

namespace weft::detail::model {
namespace {

using weft::io::detail::BufferRecord;
using weft::io::detail::BufferReturns;
using weft::io::detail::Tenancy;
using weft::io::detail::Wire;

constexpr std::uint32_t kNone = BufferRecord::kNone;
constexpr std::uint32_t kBufferBack = 128, kPoolDropped = 256;

struct Shelf : MailNode {
  static constexpr unsigned kBuffers = 2;

  BufferRecord records[kBuffers];
  Plain<int> content[kBuffers];
  BufferReturns returned;
  Tenancy<ModelHub> tenancy;
  Wire<ModelHub> wire;
  // Its hub's thread's:
  Plain<std::uint32_t> free{kNone};
  Plain<int> num_ready{0}, waiting{0};

  Shelf() {
    for (auto& c : content) c = 0;
  }

  // ---- any thread

  void give_back(std::uint32_t buffer) {
    content[buffer] = content[buffer] + 1;  // the lease's last look
    if (returned.push(records, buffer)) wire.post(*this, kBufferBack);
  }

  // ---- its hub's

  void put(std::uint32_t buffer) {
    content[buffer] = content[buffer] + 1;
    num_ready = num_ready + 1;
    records[buffer].next = free.get();
    free = buffer;
  }
  void collect() {
    for (std::uint32_t buffer = returned.take_all(); buffer != kNone;) {
      const std::uint32_t below = records[buffer].next;
      put(buffer);
      buffer = below;
    }
  }
  std::uint32_t take() {
    if (free == kNone) collect();
    const std::uint32_t buffer = free;
    if (buffer == kNone) return kNone;
    num_ready = num_ready - 1;
    free = records[buffer].next.get();
    return buffer;
  }
  // \return false: there is one
  bool wait() {
    if (returned.want()) collect();
    if (num_ready != 0) return false;
    waiting = waiting + 1;
    return true;
  }
  template <class Resume>
  void look(Resume resume) {
    collect();
    while (waiting != 0) {
      for (int left = waiting; num_ready != 0 && left != 0; --left) {
        waiting = waiting - 1;
        resume();
      }
      if (waiting == 0 || !returned.want()) return;
      collect();
    }
  }
  void connect(ModelHub& hub) { wire.connect(hub); }
  void disconnect(ModelHub& hub) {
    wire.cut();
    hub.leave_inbox(*this);
    tenancy.end();
  }
};

// Two streams want two buffers each, of two leases at most: they wait, and are told.
struct OutOfBuffers : rl::test_suite<OutOfBuffers, 3> {
  static constexpr int kUses = 4;

  ModelHub hub;
  Shelf shelf;
  Atomic<std::uint32_t> leases[kUses];
  Parker parkers[2];
  int uses = 0;

  void before() {
    for (auto& lease : leases) lease.store(0, relaxed);
    shelf.tenancy.begin(hub);
    for (std::uint32_t i = 0; i < Shelf::kBuffers; ++i) shelf.put(i);
    shelf.connect(hub);
  }
  void receive() {
    for (std::uint32_t buffer = 0; uses < kUses;) {
      buffer = shelf.take();
      if (buffer == kNone && shelf.wait()) return;
      if (buffer == kNone) buffer = shelf.take();
      shelf.content[buffer] = shelf.content[buffer] + 1;
      const int use = uses++;
      leases[use].store(buffer + 1, release);
      parkers[use % 2].unpark();
    }
  }
  void thread(unsigned index) {
    if (index < 2) {
      for (int use = static_cast<int>(index); use < kUses; use += 2) {
        while (leases[use].load(acquire) == 0) parkers[index].park();
        shelf.give_back(leases[use].load(relaxed) - 1);
      }
      return;
    }
    receive();
    receive();
    while (shelf.waiting != 0) {
      hub.read_mail([](MailNode&, std::uint32_t) {});
      shelf.look([this] { receive(); });
      if (shelf.waiting != 0) hub.sleep();
    }
    shelf.disconnect(hub);
  }
  void after() {
    MODEL_CHECK(uses == kUses);
    shelf.collect();
    MODEL_CHECK(shelf.num_ready == 2);
    MODEL_CHECK(shelf.content[0] + shelf.content[1] == 2 + 3 * kUses);
  }
};

// One hub goes while buffers come back to it; the next, if it finds the shelf free, gets all of them.
struct NextHub : rl::test_suite<NextHub, 3> {
  ModelHub* hubs[2] = {new ModelHub, new ModelHub};
  Shelf shelf;

  void before() {
    shelf.tenancy.begin(*hubs[0]);
    shelf.connect(*hubs[0]);
  }
  void turn(ModelHub& hub) {
    hub.read_mail([](MailNode&, std::uint32_t) {});
    shelf.look([] {});
  }
  void thread(unsigned index) {
    if (index == 2) {
      shelf.give_back(0);
      shelf.give_back(1);
      return;
    }
    ModelHub& hub = *hubs[index];
    if (index == 0) {
      shelf.wait();
      turn(hub);
      shelf.waiting = 0;  // the stream has been dropped
    } else if (shelf.tenancy.begin(hub)) {
      shelf.connect(hub);
      while (shelf.num_ready != 2) {
        turn(hub);
        if (shelf.num_ready != 2 && shelf.wait()) {
          shelf.waiting = 0;
          hub.sleep();
        }
      }
    } else {
      delete &hub;
      return;
    }
    shelf.disconnect(hub);
    delete &hub;
  }
  void after() {
    shelf.collect();
    MODEL_CHECK(shelf.num_ready == 2);
  }
};

// A stream with a buffer in it that nobody took, its owner, who drops it and then the pool of buffers, a
// lease that ended before that, and the hub, which goes.
struct PoolIsGone : rl::test_suite<PoolIsGone, 3> {
  static constexpr std::uint32_t kStreamDropped = 64;

  struct Stream : MailNode {
    Wire<ModelHub> wire;
    Atomic<std::uint32_t> hubless{0};
    Plain<bool> has_item{true};
  };
  struct Kept : Shelf {  // by `Shelves`
    Atomic<int> references{2};
    Plain<int> users{1};
    Plain<bool> pool_is_gone{false};

    void release_one() {
      if (references.fetch_sub(1, acq_rel) == 1) delete this;
    }
    bool abandoned() const { return pool_is_gone && users == 0; }
  };
  ModelHub* hub = new ModelHub;
  Stream* stream = new Stream;
  Kept* shelf = new Kept;
  Atomic<bool> lease_is_over{false};
  Parker owner;
  bool stream_of_hub = true, shelf_of_hub = true;

  void before() {
    stream->wire.connect(*hub);
    shelf->tenancy.begin(*hub);
    shelf->connect(*hub);
    shelf->returned.want();
  }
  void discard_all() {
    if (!stream->has_item) return;
    stream->has_item = false;
    shelf->give_back(0);
  }
  void disconnect() {
    shelf_of_hub = false;
    shelf->disconnect(*hub);
    shelf->release_one();
  }
  void end() {
    shelf->users = shelf->users - 1;
    if (shelf->abandoned()) disconnect();
  }
  void turn() {
    hub->read_mail([this](MailNode& node, std::uint32_t news) {
      if ((news & kPoolDropped) != 0) {
        shelf->pool_is_gone = true;
        if (shelf->abandoned()) disconnect();
      } else if ((news & kStreamDropped) != 0) {
        discard_all();
        end();
        hub->leave_inbox(node);
        stream->wire.cut();
        delete stream;
        stream_of_hub = false;
      }
    });
    if (shelf_of_hub) shelf->look([] {});
  }
  void leave_hub() {
    stream->wire.cut();
    const bool is_dropped = (hub->leave_inbox(*stream) & kStreamDropped) != 0;
    if (is_dropped) discard_all();
    end();
    if (is_dropped) {
      delete stream;
      return;
    }
    Stream* const owners = stream;
    owners->hubless.store(1, release);
    futex_wake(owners->hubless, 1);
  }
  void thread(unsigned index) {
    if (index == 0) {
      hub->sleep();  // the lease tells it
      turn();
      if (stream_of_hub) leave_hub();
      if (shelf_of_hub) disconnect();
      delete hub;
    } else if (index == 1) {
      shelf->give_back(1);
      lease_is_over.store(true, release);
      owner.unpark();
    } else {
      while (!lease_is_over.load(acquire)) owner.park();
      const auto reached = stream->wire.post(*stream, kStreamDropped);
      if (reached != Wire<ModelHub>::Reached::kHub) {
        while (stream->hubless.load(acquire) == 0) futex_wait(stream->hubless, 0);
        discard_all();
        delete stream;
      }
      shelf->wire.post(*shelf, kPoolDropped);
      shelf->release_one();
    }
  }
};

}  // namespace
}  // namespace weft::detail::model

int main() {
  using namespace weft::detail::model;
  const bool good = run<OutOfBuffers>(500'000) && run<NextHub>(500'000) && run<PoolIsGone>(500'000);
  return good ? 0 : 1;
}
