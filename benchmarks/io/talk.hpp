// SPDX-License-Identifier: MIT OR Apache-2.0
// Request and answer over connections, without the I/O: what the two ends say, when, and whether it
// was right. Every runtime asks the same questions of it, so that only their I/O differs.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weft/io/fd.hpp"

namespace bench::io {

using Clock = std::chrono::steady_clock;

/// What is said over and over.
struct Script {
  std::string request;
  std::string answer;  // empty: what the server has heard
};

/// One end of a connection.
///
///     for (auto words = speaker.begin(); !speaker.done();) {
///       send all of words, if any;
///       n = receive into speaker.room();
///       words = speaker.hear(n);
///     }
///
/// A client says the request first, and again after each answer, so often. A server answers each
/// request, until the client hangs up.
class Speaker {
 public:
  /// A client, or with no rounds a server. \param out not valid: `in` carries both directions, and
  /// is a socket
  Speaker(const Script& script, long rounds, weft::io::Fd in, weft::io::Fd out);

  bool is_client() const { return is_client_; }
  bool is_socket() const { return !out_.valid(); }
  int in() const { return in_.get(); }
  int out() const { return is_socket() ? in_.get() : out_.get(); }
  bool done() const { return done_; }

  std::span<const std::byte> begin();
  std::span<std::byte> room() { return std::span(heard_).subspan(length_); }
  /// \return what to say now; if nothing: listen, unless it is done
  /// \throws std::runtime_error if it was not what the script says
  std::span<const std::byte> hear(std::size_t bytes);
  /// To be called once it is done: the other end hears of it.
  void hang_up();

  /// Of a client: from request to answer. In microseconds.
  const std::vector<float>& delays() const { return delays_; }
  /// Of a server.
  long answered() const { return answered_; }

 private:
  const Script* script_;
  long rounds_;
  weft::io::Fd in_, out_;
  bool is_client_;
  bool done_ = false;
  long answered_ = 0;
  std::size_t length_ = 0;  // of what was heard of the current message
  Clock::time_point asked_;
  std::vector<float> delays_;
  std::array<std::byte, 256> heard_;
};

/// All connections, both ends.
struct Conversation {
  std::vector<Speaker> clients, servers;
};

/// Over TCP on the loopback device, without Nagle's delay. \param rounds of all connections
/// together \throws std::system_error
Conversation over_tcp(const Script& script, long connections, long rounds);
/// One connection over two pipes.
Conversation over_pipes(const Script& script, long rounds);

}  // namespace bench::io
