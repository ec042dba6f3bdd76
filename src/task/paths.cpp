#include "task/paths.hpp"

#include <algorithm>
#include <string>

namespace kist::task {

namespace fs = std::filesystem;

fs::path absolute_path(std::string_view written, const fs::path& base, const fs::path& home) {
  fs::path path;
  if (written == "~" || written.starts_with("~/"))
    path = home / fs::path(written.substr(std::min<std::size_t>(2, written.size())));
  else
    path = base / fs::path(written);
  std::string normal = path.lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

bool is_within(const fs::path& path, const fs::path& directory) {
  const std::string& inner = path.native();
  const std::string& outer = directory.native();
  if (outer == "/") return true;
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

}  // namespace kist::task
