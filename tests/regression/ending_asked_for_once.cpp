// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A stream asks the ring to end its request for a while: more than enough is here. If that ended with EAGAIN,
// because the listener has O_NONBLOCK, the ring waited and started it again, as for any other. The stream
// took it for ending ever after, and neither its end nor that of its pool could end it.
//
// Newer kernels wait by themselves, so the completion comes from here.

#include <liburing.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <vector>

#include "../support/io.hpp"
#include "io/ring.hpp"
#include "io/stream.hpp"

namespace weft::io::detail {

namespace {

class OpenRing final : public Ring {
 public:
  using Ring::Ring;
  using Ring::take;
};

class Accepts final : public StreamState {
 public:
  explicit Accepts(BorrowedFd listener) noexcept : StreamState(listener) {
    sqe().opcode = IORING_OP_ACCEPT;
    sqe().fd = listener.get();
  }
  ~Accepts() override = default;
  std::vector<std::int32_t> taken;

 private:
  bool prepare() noexcept override { return true; }
  void take() noexcept override { taken.push_back(result); }
  void discard(std::int32_t, std::uint32_t) noexcept override {}
};

BOOST_AUTO_TEST_CASE(ending_asked_for_once) {
  if (!ring_usable()) return;
  const Fd event(::eventfd(0, EFD_CLOEXEC));
  Hub hub;
  OpenRing ring(hub, event.get());
  BOOST_REQUIRE(ring.make() == 0);
  Accepts stream(event);
  stream.generation = 1;
  io_uring_cqe cqe{};
  cqe.user_data = tag_of(stream);
  cqe.res = -EAGAIN;
  ring.start(stream);
  ring.take(cqe);  // nobody asked: it waits
  BOOST_TEST((stream.place == Place::kKernel));
  BOOST_TEST(stream.taken.empty());
  ring.start(stream);
  BOOST_TEST(!ring.cancel(stream));
  ring.take(cqe);
  BOOST_TEST((stream.place == Place::kNowhere));
  BOOST_TEST(stream.taken == std::vector<std::int32_t>{-ECANCELED}, boost::test_tools::per_element());
}

}  // namespace

}  // namespace weft::io::detail
