#include "dialect/circleci/names.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace kist::dialect::circleci {
namespace {

// Relative, without `.`, `x/..` and extra slashes; empty for the root.
std::string clean(std::string_view path) {
  std::string cleaned = std::filesystem::path(path).lexically_normal().relative_path().string();
  while (cleaned.ends_with('/')) cleaned.pop_back();
  return cleaned == "." ? "" : cleaned;
}

bool leads_out(std::string_view cleaned) {
  return cleaned == ".." || cleaned.starts_with("../");
}

}  // namespace

Result<ArtifactName> artifact_name(std::string_view path, const std::optional<std::string>& destination) {
  std::string name = clean(destination ? *destination : path);
  if (leads_out(name))
    return fail(ErrorKind::invalid,
                destination ? fmt::format("destination: '{}' leads out of the artifacts by '..'", *destination)
                            : fmt::format("path: '{}' cannot be the artifact's name; add a `destination`", path));
  if (!name.empty()) return ArtifactName{std::move(name), false};
  name = std::filesystem::path(clean(path)).filename().string();
  if (name.empty() || name == "..")
    return fail(ErrorKind::invalid, fmt::format("path: '{}' has no name of its own; add a `destination`", path));
  return ArtifactName{std::move(name), true};
}

}  // namespace kist::dialect::circleci
