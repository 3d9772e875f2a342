// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace http {

/// A file to be sent, or the status that says why not.
struct Found {
  int status = 200;
  weft::io::Fd file{};
  std::uint64_t size = 0;
  std::time_t modified = 0;
  std::string_view type{};
};

/// The files that are served: those below one directory.
class Site {
 public:
  /// \throws std::system_error if it cannot be opened
  explicit Site(const std::string& directory);

  /// \param path begins with '/'. If it ends with one, index.html in that directory is meant.
  weft::Task<Found> find(const std::string& path) const;

 private:
  weft::Task<weft::io::Result<int>> open_beneath(const char* path) const;

  weft::io::Fd root_;
};

/// As in the header fields Date, Last-Modified and If-Modified-Since.
std::string http_date(std::time_t time);
/// \return -1 if it is none
std::time_t parse_http_date(const std::string& text);

}  // namespace http
