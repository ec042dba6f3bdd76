// Paths as a workflow file writes them. Text only: nothing is looked up on disk.
#pragma once

#include <filesystem>
#include <string_view>

namespace kist::task {

// `written` made absolute and normal (no `.`, `..`, double or trailing slash): "~" and "~/x" hang off `home`, a
// relative path off `base`. `..` ends at the root.
std::filesystem::path absolute_path(std::string_view written, const std::filesystem::path& base,
                                    const std::filesystem::path& home);

// Whether `path` is `directory` or lies below it. Both absolute and normal.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& directory);

}  // namespace kist::task
