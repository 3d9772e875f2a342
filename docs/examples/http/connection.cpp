// SPDX-License-Identifier: MIT OR Apache-2.0
#include "connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace io = weft::io;

namespace http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kInputBytes = 8 * 1024;
constexpr std::size_t kPipeBytes = 256 * 1024;

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 301:
      return "Moved Permanently";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

Response plain(int status, std::string text) {
  return {.status = status,
          .headers = "Content-Type: text/plain; charset=utf-8\r\n",
          .body = std::move(text)};
}

Response refusal(int status) {
  std::string text = std::to_string(status) + ' ';
  text += reason(status);
  Response response = plain(status, text + '\n');
  if (status == 405) response.headers += "Allow: GET, HEAD\r\n";
  return response;
}

weft::Task<std::uint64_t> fib(int n) {
  if (n < 2) co_return static_cast<std::uint64_t>(n);
  weft::Flowvar<std::uint64_t> x = weft::spawn(fib(n - 1));
  const std::uint64_t y = co_await fib(n - 2);
  co_return co_await std::move(x) + y;
}

/// Of "n=NUMBER".
std::optional<int> fib_argument(std::string_view query) {
  if (!query.starts_with("n=")) return std::nullopt;
  const char* const end = query.data() + query.size();
  int n = 0;
  const auto [rest, error] = std::from_chars(query.data() + 2, end, n);
  if (error != std::errc() || rest != end || n < 0 || n > 45) return std::nullopt;
  return n;
}

/// The '%' of bytes that a header must not have.
std::string percent_encoded(std::string_view path) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7F ||
        std::string_view("%?#\"<>\\").find(c) != std::string_view::npos) {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      encoded += c;
    }
  }
  return encoded;
}

}  // namespace

Connection::Connection(const Server& server, io::Fd socket)
    : server_(server), socket_(std::move(socket)), input_(std::make_unique<char[]>(kInputBytes)) {}

weft::Task<> Connection::run() {
  bool keep_alive = true;
  while (keep_alive && !server_.stop.stop_requested()) {
    RequestParser parser;
    if (!co_await read(parser)) co_return;
    Response response;
    if (parser.status() == 0) {
      response = co_await answer(parser.request());
    } else {
      response = refusal(parser.status());
    }
    keep_alive =
        parser.status() == 0 && parser.request().keep_alive && !server_.stop.stop_requested();
    if (!co_await send(response, parser.request().head, keep_alive)) co_return;
  }
  co_await close();
}

/// \return false: there is no request, and will be none
weft::Task<bool> Connection::read(RequestParser& parser) {
  Clock::time_point deadline = Clock::now() + server_.idle;
  bool begun = false;
  for (;;) {
    if (begin_ != end_) begin_ += parser.feed({&input_[begin_], end_ - begin_});
    if (parser.done()) co_return true;
    begin_ = end_ = 0;
    if (!begun && parser.begun()) {
      begun = true;
      deadline = Clock::now() + server_.patience;  // for all of it, however many pieces it has
    }
    const auto buffer = std::as_writable_bytes(std::span(input_.get(), kInputBytes));
    auto receive = io::recv(socket_, buffer);
    receive.timeout(deadline - Clock::now());
    if (!begun) receive.stop_on(server_.stop);
    const io::Result<std::size_t> received = co_await receive;
    if (begun && received.error() == std::errc::timed_out) {
      parser.refuse(408);
      co_return true;
    }
    if (!received || *received == 0) co_return false;
    end_ = *received;
  }
}

weft::Task<Response> Connection::answer(const Request& request) {
  const std::optional<Target> target = parse_target(request.target);
  if (!target) co_return refusal(400);

  if (target->path == "/fib") {
    const std::optional<int> n = fib_argument(target->query);
    if (!n) co_return refusal(400);
    // On the other pool; meanwhile the thread that came here serves other connections.
    const std::uint64_t value = co_await server_.compute.spawn(fib(*n));
    co_return plain(200, std::to_string(value) + '\n');
  }

  Found found = co_await server_.site.find(target->path);
  if (found.status == 301) {
    Response response = refusal(301);
    const std::size_t name = target->path.find_first_not_of('/');  // "//host" would lead elsewhere
    response.headers += "Location: /" + percent_encoded(target->path.substr(name)) + "/\r\n";
    co_return response;
  }
  if (found.status != 200) co_return refusal(found.status);

  Response response;
  response.headers = "Last-Modified: " + http_date(found.modified) + "\r\n";
  if (request.if_modified_since) {
    const std::time_t known = parse_http_date(*request.if_modified_since);
    if (known != -1 && found.modified <= known) {
      response.status = 304;
      co_return response;
    }
  }
  response.headers += "Content-Type: ";
  response.headers += found.type;
  response.headers += "\r\n";
  response.file = std::move(found.file);
  response.file_size = found.size;
  co_return response;
}

/// \return false: the client is gone, or has not got all of it
weft::Task<bool> Connection::send(const Response& response, bool head, bool keep_alive) {
  const bool sends_file = response.file.valid() && !head && response.file_size != 0;
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  text += reason(response.status);
  text += "\r\nDate: " + http_date(std::time(nullptr)) + "\r\n" + response.headers;
  if (response.status != 304) {
    const std::uint64_t size = response.file.valid() ? response.file_size : response.body.size();
    text += "Content-Length: " + std::to_string(size) + "\r\n";
  }
  text += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  if (!head) text += response.body;

  const auto bytes = std::as_bytes(std::span(text));
  if (!co_await io::send_all(socket_, bytes, sends_file ? MSG_MORE : 0).timeout(server_.patience)) {
    co_return false;
  }
  if (!sends_file) co_return true;
  co_return co_await send_file(response.file, response.file_size);
}

/// The bytes go from the page cache to the socket, by way of a pipe, and never through our memory.
weft::Task<bool> Connection::send_file(const io::Fd& file, std::uint64_t size) {
  if (!pipe_in_.valid()) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) co_return false;
    pipe_out_ = io::Fd(ends[0]);
    pipe_in_ = io::Fd(ends[1]);
    (void)::fcntl(pipe_in_.get(), F_SETPIPE_SZ, kPipeBytes);  // a smaller one does, too
  }
  for (std::uint64_t offset = 0; offset < size;) {
    const std::size_t piece = std::min<std::uint64_t>(size - offset, kPipeBytes);
    const io::Result<std::size_t> taken =
        co_await io::splice(file, offset, pipe_in_, io::kOwnPosition, piece);
    if (!taken || *taken == 0) co_return false;  // it has become shorter
    offset += *taken;
    const unsigned more = offset < size ? SPLICE_F_MORE : 0;
    for (std::size_t left = *taken; left != 0;) {
      const io::Result<std::size_t> sent =
          co_await io::splice(pipe_out_, socket_, left, more).timeout(server_.patience);
      if (sent) {
        left -= *sent;
      } else if (sent.error() == std::errc::resource_unavailable_try_again) {
        // The kernel waits with a thread when it splices to a socket that blocks. For a poll it
        // needs none, so slow clients cost no threads.
        if (!co_await io::poll(socket_, POLLOUT).timeout(server_.patience)) co_return false;
      } else {
        co_return false;
      }
    }
  }
  co_return true;
}

/// If we closed while something lies unread in the socket, the client would get a reset, and might
/// lose the response. So wait until it closes too, but not for long.
weft::Task<> Connection::close() {
  if (!co_await io::shutdown(socket_, SHUT_WR)) co_return;
  const Clock::time_point deadline =
      Clock::now() + std::min(server_.patience, std::chrono::milliseconds(1000));
  const auto buffer = std::as_writable_bytes(std::span(input_.get(), kInputBytes));
  for (;;) {
    const auto received = co_await io::recv(socket_, buffer).timeout(deadline - Clock::now());
    if (!received || *received == 0) co_return;
  }
}

}  // namespace http
