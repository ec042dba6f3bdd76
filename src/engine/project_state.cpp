#include "engine/project_state.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace kist::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 200'000;

}  // namespace

std::optional<Digest> state_of_project(const model::RunRecord& run, const fs::path& home) {
  if (run.project.empty()) return std::nullopt;
  const fs::path project = fs::path(run.project).lexically_normal();
  std::vector<fs::path> left_out{home.lexically_normal()};
  for (const model::SourceText& file : run.request.files) left_out.push_back((project / file.name).lexically_normal());
  std::vector<std::string> entries;
  std::error_code error;
  fs::recursive_directory_iterator at(project, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string& path = at->path().native();  // normal, as the project's is
    if (path.ends_with("/.git") || std::ranges::find(left_out, path, &fs::path::native) != left_out.end()) {
      at.disable_recursion_pending();
      continue;
    }
    struct stat status{};
    if (entries.size() == kMostFiles || ::lstat(path.c_str(), &status) != 0) return std::nullopt;
    // Of a directory only what is in it counts.
    const bool is_directory = S_ISDIR(status.st_mode);
    entries.push_back(fmt::format("{}\n{:o} {} {}.{}\n", std::string_view(path).substr(project.native().size()),
                                  status.st_mode, is_directory ? 0 : status.st_size,
                                  is_directory ? 0 : status.st_mtim.tv_sec, is_directory ? 0 : status.st_mtim.tv_nsec));
  }
  if (error) return std::nullopt;
  std::ranges::sort(entries);
  Sha256 all;
  for (const std::string& entry : entries) all.update(entry);
  return all.finish();
}

}  // namespace kist::engine
