// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <weft/weft.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace treesum {

/// The regular files and the directories in one directory.
struct Listing {
  std::vector<std::string> names;  // sorted; a directory's name ends in '/'
  int error = 0;                   // an errno value; `names` then has what came before it
};

/// `path` ends in '/'. Reads the whole directory and closes it.
Listing list_directory(const std::string& path);

/// The regular files below a directory, one at a time, in the order `LC_ALL=C sort` would give
/// their paths. Symbolic links are not followed. While the files of one directory are handed out,
/// the next directory beside it is read ahead by another task.
///
/// Holds the names in the directories between the root and the current one (each with at most one
/// more read ahead), and no open descriptor.
class Walker {
 public:
  using OnError = std::function<void(const std::string& path, int error)>;

  Walker(std::string root, OnError on_error);

  /// The path of the next file; nullopt at the end.
  weft::Task<std::optional<std::string>> next();

 private:
  struct Level {
    std::vector<std::string> names;
    std::size_t position = 0;        // the name to visit next
    std::size_t prefix = 0;          // how much of path_ is this directory's own path
    weft::Flowvar<Listing> ahead{};  // the listing of the next subdirectory
  };

  weft::Task<> descend();
  void read_ahead(Level& level);

  std::vector<Level> levels_;
  std::string
      path_;  // one for all levels: a path per level would grow with the square of the depth
  OnError on_error_;
  bool started_ = false;
};

}  // namespace treesum
