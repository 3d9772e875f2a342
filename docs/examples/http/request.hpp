// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <http_parser.h>

namespace http {

/// What the server wants to know of a request.
struct Request {
  bool head = false;  // HEAD; otherwise GET
  std::string target;
  std::optional<std::string> if_modified_since;
  bool keep_alive = false;
};

/// Parses one request, in whatever pieces it comes. All that is wrong with it, or that the server
/// does not do, ends as a status.
class RequestParser {
 public:
  RequestParser() noexcept;
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// \return how many bytes belong to this request
  std::size_t feed(std::string_view bytes);

  bool begun() const noexcept { return begun_; }
  bool done() const noexcept { return complete_ || status_ != 0; }
  /// 0 if the request is to be answered, or else the status that refuses it. After that it is not
  /// known where the next one begins.
  int status() const noexcept { return status_; }
  void refuse(int status) noexcept { status_ = status; }

  const Request& request() const noexcept { return request_; }

 private:
  static const http_parser_settings kSettings;
  static RequestParser& of(http_parser* parser) {
    return *static_cast<RequestParser*>(parser->data);
  }

  int add(std::string& to, const char* bytes, std::size_t length);
  int headers_complete();
  void end_header();

  http_parser parser_;
  Request request_;
  std::string field_;  // the header line at which the parser is
  std::string value_;
  bool in_value_ = false;
  bool has_host_ = false;
  bool begun_ = false;
  bool in_body_ = false;
  bool complete_ = false;
  std::size_t size_ = 0;  // of the headers, then of the body
  int status_ = 0;
};

/// A request's target, taken apart.
struct Target {
  std::string path;  // decoded; begins with '/'
  std::string query;
};

/// \return nothing if it is no target, or contains a zero byte
std::optional<Target> parse_target(const std::string& text);

}  // namespace http
