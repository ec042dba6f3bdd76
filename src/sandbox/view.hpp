// Which of a layout's directories decides what is seen at a path: of `fresh`, `hidden` and `visible` the deepest one
// that holds the path, the host itself where none does.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.hpp"
#include "sandbox/host.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

struct Directory {
  enum class Kind { fresh, hidden, visible };
  Kind kind = Kind::fresh;
  std::filesystem::path path;  // links on the host resolved
};

class View {
 public:
  // Resolves the layout's paths on the host. Other names of a hidden path are hidden too; a visible directory that is
  // seen anyhow is left out. Errors: not_found (a visible path).
  static Result<View> make(const Layout& layout, const Host& host);

  // Shallower ones first.
  const std::vector<Directory>& directories() const { return directories_; }
  // Visible paths that were given through links: the link as given, and where it leads. They vanish where a fresh
  // directory lies over the link.
  const std::vector<std::pair<std::filesystem::path, std::filesystem::path>>& links() const { return links_; }

  // The one that decides; nullptr: the host shows.
  const Directory* deciding(const std::filesystem::path& path) const;
  // Whether the host's content shows at a path.
  bool shows_host(const std::filesystem::path& path) const;

 private:
  std::vector<Directory> directories_;
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> links_;
};

// A path with the links of its existing part resolved, on the host.
std::filesystem::path resolved(const std::filesystem::path& path);

}  // namespace kist::sandbox
