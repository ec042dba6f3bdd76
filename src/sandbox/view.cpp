#include "sandbox/view.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>

namespace kist::sandbox {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(path, error);
  if (error) real = path.lexically_normal();
  return real.has_filename() ? real : real.parent_path();
}

Result<View> View::make(const Layout& layout, const Host& host) {
  View view;
  auto add = [&](Directory::Kind kind, fs::path path) {
    auto same = [&](const Directory& other) { return other.path == path; };
    std::erase_if(view.directories_, same);
    view.directories_.push_back({kind, std::move(path)});
  };
  for (const fs::path& path : layout.fresh) add(Directory::Kind::fresh, resolved(path));
  auto hide = [&](const fs::path& path) {
    fs::path real = resolved(path);
    for (fs::path& alias : host.aliases(real)) add(Directory::Kind::hidden, std::move(alias));
    add(Directory::Kind::hidden, std::move(real));
  };
  for (const fs::path& path : layout.hidden) hide(path);
  hide(layout.scratch);  // an overlay shows its own layers only as errors
  std::vector<fs::path> shown;
  for (const fs::path& path : layout.visible) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(fmt::format("cannot show {} to the task", path.string()));
    fs::path real = resolved(path);
    fs::path given = path.lexically_normal();
    if (!given.has_filename()) given = given.parent_path();
    if (given != real && !view.shows_host(given)) view.links_.emplace_back(given, real);
    if (real != "/") shown.push_back(std::move(real));
  }
  std::ranges::sort(shown, {}, [](const fs::path& path) { return path.native().size(); });
  for (fs::path& path : shown)
    if (!view.shows_host(path)) add(Directory::Kind::visible, std::move(path));
  std::ranges::stable_sort(view.directories_, {}, [](const Directory& one) { return one.path.native().size(); });
  return view;
}

const Directory* View::deciding(const fs::path& path) const {
  const Directory* deepest = nullptr;
  for (const Directory& directory : directories_)
    if (is_within(path, directory.path) &&
        (deepest == nullptr || directory.path.native().size() > deepest->path.native().size()))
      deepest = &directory;
  return deepest;
}

bool View::shows_host(const fs::path& path) const {
  const Directory* directory = deciding(path);
  return directory == nullptr || directory->kind == Directory::Kind::visible;
}

}  // namespace kist::sandbox
