#include "dialect/dstack/paths.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace kist::dialect::dstack {
namespace {

// Without `.`, `x/..` and double or last slashes: "." becomes "".
std::string clean(std::string_view path) {
  std::string cleaned = std::filesystem::path(path).lexically_normal().string();
  while (cleaned.size() > 1 && cleaned.ends_with('/')) cleaned.pop_back();
  return cleaned == "." ? "" : cleaned;
}

bool leads_out(std::string_view cleaned) {
  return cleaned == ".." || cleaned.starts_with("../");
}

}  // namespace

Result<ArtifactPath> artifact_path(std::string_view written) {
  bool at_home = written == "~" || written.starts_with("~/");
  std::string cleaned = clean(at_home ? written.substr(std::min<std::size_t>(written.size(), 2)) : written);
  if (at_home && cleaned.starts_with('/')) cleaned.erase(0, 1);  // "~//x"
  if (leads_out(cleaned))
    return fail(ErrorKind::invalid,
                fmt::format("the artifact path '{}' leads out of {} by '..'; write an absolute path", written,
                            at_home ? "the home directory" : "the working directory"));
  if (cleaned.empty() || cleaned == "/")
    return fail(ErrorKind::invalid, fmt::format("the artifact path '{}' is not a directory of its own: an artifact "
                                                "begins empty and hides what is there; name a directory below",
                                                written));
  if (at_home) cleaned = "~/" + cleaned;
  std::string name = cleaned.starts_with('/') ? cleaned.substr(1) : cleaned;
  return ArtifactPath{std::move(cleaned), std::move(name)};
}

Result<std::string> working_directory(std::string_view written) {
  std::string cleaned = clean(written);
  if (cleaned.starts_with('/') || leads_out(cleaned))
    return fail(
        ErrorKind::invalid,
        fmt::format("the working directory '{}' is not below the project; write it relative to the project", written));
  return cleaned;
}

}  // namespace kist::dialect::dstack
