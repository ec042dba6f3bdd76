// Which paths of a directory are kept: those a pattern takes in, without those that others leave out.
//
// In a pattern `*` and `?` stand for characters of one name, `[…]` for one of them, `**` for any number of directories.
// It is matched with the path relative to the directory, or, where it has no '/', with every name below it. What
// matches a directory is about all that lies in it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist::task {

bool has_pattern(std::string_view path);
// The directory of a path with a pattern, as far as it is plain, and the rest: "/tmp/a" and "*.txt" of "/tmp/a/*.txt".
std::pair<std::string, std::string> split_pattern(std::string_view path);

// Whether a path, or a directory above it, matches.
bool matches_pattern(std::string_view pattern, const std::filesystem::path& path);

struct Selection {
  std::vector<std::string> include;  // empty: everything; matched with the whole relative path, even without a '/'
  std::vector<std::string> exclude;
};

// Brings what is selected of the directory `source` to `target`, which does not exist: by hard links where the file
// system lets them, else copies; links as they are. False: nothing was selected, and `target` was not made.
Result<bool> bring_selected(const std::filesystem::path& source, const Selection& selection,
                            const std::filesystem::path& target);

}  // namespace kist::task
