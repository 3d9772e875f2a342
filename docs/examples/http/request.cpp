// SPDX-License-Identifier: MIT OR Apache-2.0
#include "request.hpp"

#include <strings.h>

namespace http {
namespace {

constexpr std::size_t kMostHeaders = 16 * 1024;
constexpr std::size_t kMostBody = 64 * 1024;  // which is skipped: neither GET nor HEAD needs one

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

}  // namespace

// The parser calls these; anything but 0 makes it stop with an error.
const http_parser_settings RequestParser::kSettings = [] {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_message_begin = [](http_parser* parser) {
    of(parser).begun_ = true;
    return 0;
  };
  settings.on_url = [](http_parser* parser, const char* bytes, std::size_t length) {
    return of(parser).add(of(parser).request_.target, bytes, length);
  };
  settings.on_header_field = [](http_parser* parser, const char* bytes, std::size_t length) {
    RequestParser& self = of(parser);
    if (self.in_value_) self.end_header();
    return self.add(self.field_, bytes, length);
  };
  settings.on_header_value = [](http_parser* parser, const char* bytes, std::size_t length) {
    of(parser).in_value_ = true;
    return of(parser).add(of(parser).value_, bytes, length);
  };
  settings.on_headers_complete = [](http_parser* parser) { return of(parser).headers_complete(); };
  settings.on_body = [](http_parser* parser, const char*, std::size_t length) {
    RequestParser& self = of(parser);
    self.size_ += length;
    if (self.size_ > kMostBody) self.refuse(413);
    return self.status_;
  };
  settings.on_message_complete = [](http_parser* parser) {
    of(parser).complete_ = true;
    http_parser_pause(parser, 1);  // what follows is the next request
    return 0;
  };
  return settings;
}();

RequestParser::RequestParser() noexcept {
  http_parser_init(&parser_, HTTP_REQUEST);
  parser_.data = this;
}

std::size_t RequestParser::feed(std::string_view bytes) {
  const std::size_t used = http_parser_execute(&parser_, &kSettings, bytes.data(), bytes.size());
  if (done()) return used;
  switch (HTTP_PARSER_ERRNO(&parser_)) {
    case HPE_OK:
      break;
    case HPE_INVALID_METHOD:
      refuse(501);
      break;
    case HPE_HEADER_OVERFLOW:
      refuse(431);
      break;
    default:
      refuse(400);
  }
  return used;
}

int RequestParser::add(std::string& to, const char* bytes, std::size_t length) {
  if (in_body_) return 0;  // a trailer
  to.append(bytes, length);
  size_ += length;
  if (size_ > kMostHeaders) refuse(&to == &request_.target ? 414 : 431);
  return status_;
}

void RequestParser::end_header() {
  if (::strcasecmp(field_.c_str(), "host") == 0) {
    if (has_host_) refuse(400);
    has_host_ = true;
  } else if (::strcasecmp(field_.c_str(), "if-modified-since") == 0) {
    request_.if_modified_since = value_;
  }
  field_.clear();
  value_.clear();
  in_value_ = false;
}

int RequestParser::headers_complete() {
  end_header();
  in_body_ = true;
  size_ = 0;
  request_.head = parser_.method == HTTP_HEAD;
  request_.keep_alive = http_should_keep_alive(&parser_) != 0;
  if (parser_.http_major != 1) {
    refuse(505);
  } else if (parser_.http_minor != 0 && !has_host_) {
    refuse(400);
  } else if (parser_.method != HTTP_GET && parser_.method != HTTP_HEAD) {
    refuse(405);
  }
  return status_ == 0 ? 0 : -1;  // 1 would mean something else here
}

std::optional<Target> parse_target(const std::string& text) {
  http_parser_url url;
  http_parser_url_init(&url);
  if (http_parser_parse_url(text.data(), text.size(), 0, &url) != 0) return std::nullopt;
  const auto part = [&](http_parser_url_fields field) {
    return std::string_view(text).substr(url.field_data[field].off, url.field_data[field].len);
  };
  Target target{.path = "/", .query = {}};
  if ((url.field_set & (1 << UF_PATH)) != 0) {
    std::optional<std::string> path = percent_decoded(part(UF_PATH));
    if (!path || path->front() != '/') return std::nullopt;
    target.path = *std::move(path);
  }
  if ((url.field_set & (1 << UF_QUERY)) != 0) target.query = part(UF_QUERY);
  return target;
}

}  // namespace http
