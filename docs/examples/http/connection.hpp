// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "request.hpp"
#include "site.hpp"

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

namespace http {

/// What all connections share.
struct Server {
  const Site& site;
  weft::Threadpool& compute;       // for what takes long: its threads are not those that serve
  std::chrono::milliseconds idle;  // how long a connection may be quiet between two requests
  std::chrono::milliseconds
      patience;  // for a whole request to arrive, for a client to take anything
  std::stop_token stop;
};

struct Response {
  int status = 200;
  std::string headers{};  // each ends with "\r\n"
  std::string body{};     // or:
  weft::io::Fd file{};
  std::uint64_t file_size = 0;
};

/// One client: answers its requests, one after the other.
class Connection {
 public:
  /// \param socket does not block: see send_file()
  Connection(const Server& server, weft::io::Fd socket);

  /// Until the client has gone or is to go.
  weft::Task<> run();

 private:
  weft::Task<bool> read(RequestParser& parser);
  weft::Task<Response> answer(const Request& request);
  weft::Task<bool> send(const Response& response, bool head, bool keep_alive);
  weft::Task<bool> send_file(const weft::io::Fd& file, std::uint64_t size);
  weft::Task<> close();

  const Server& server_;
  weft::io::Fd socket_;
  weft::io::Fd pipe_out_;  // what a file goes through; made for the first one
  weft::io::Fd pipe_in_;
  std::unique_ptr<char[]> input_;
  std::size_t begin_ = 0;  // what was received and not parsed: a client may send requests ahead
  std::size_t end_ = 0;
};

}  // namespace http
