#include "catalog/documents.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/system.hpp"

namespace kist::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kEnding = ".yaml";
constexpr std::size_t kLongestDocumentName = 200;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestDocumentName && name.front() != '.' &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
}

}  // namespace

Result<fs::path> Documents::path_of(std::string_view kind, std::string_view name) const {
  for (const std::string_view word : {kind, name})
    if (!is_name(word))
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is no name of a document: letters, digits, '-', '.' and '_'", word));
  return directory_ / kind / (std::string(name) + std::string(kEnding));
}

Result<std::vector<Documents::Listed>> Documents::list() const {
  std::vector<Listed> all;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(directory_, failed), end; !failed && at != end; at.increment(failed)) {
    const fs::path& path = at->path();
    if (path.extension() == kEnding && path.parent_path().parent_path() == directory_)
      all.push_back({path.parent_path().filename().string(), path.stem().string(), path});
  }
  if (failed && failed != std::errc::no_such_file_or_directory)
    return fail_errno(fmt::format("reading {}", directory_.string()), failed.value());
  std::ranges::sort(all, {}, [](const Listed& each) { return std::pair(each.kind, each.name); });
  return all;
}

Status Documents::put(std::string_view kind, std::string_view name, std::string_view text) const {
  KIST_TRY_ASSIGN(const fs::path path, path_of(kind, name));
  for (const fs::path& directory : {directory_, path.parent_path()}) KIST_TRY(make_directory(directory, 0700));
  return replace_file(path, text, 0600);
}

Status Documents::remove(std::string_view kind, std::string_view name) const {
  KIST_TRY_ASSIGN(const fs::path path, path_of(kind, name));
  if (os::unlinkat(AT_FDCWD, path.c_str(), 0) == 0) return sync_directory(path.parent_path());
  if (errno == ENOENT) return fail(ErrorKind::not_found, fmt::format("there is no {} '{}' in this home", kind, name));
  return fail_errno(fmt::format("removing {}", path.string()));
}

}  // namespace kist::catalog
