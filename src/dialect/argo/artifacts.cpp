#include "dialect/argo/artifacts.hpp"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kist::dialect::argo {
namespace {

// The components of a path that are left when `.` and `..` are carried out; `above` counts the `..` that lead out of
// it.
struct Components {
  std::vector<std::string_view> names;
  std::size_t above = 0;
};

Components components_of(std::string_view path) {
  Components components;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty() || name == ".") continue;
    if (name != "..")
      components.names.push_back(name);
    else if (components.names.empty())
      ++components.above;
    else
      components.names.pop_back();
  }
  return components;
}

}  // namespace

std::string clean_path(std::string_view path) {
  const Components components = components_of(path);
  if (path.starts_with('/')) return fmt::format("/{}", fmt::join(components.names, "/"));
  std::string cleaned;
  for (std::size_t index = 0; index < components.above; ++index) cleaned += "../";
  cleaned += fmt::format("{}", fmt::join(components.names, "/"));
  return cleaned.empty() ? "." : cleaned;
}

bool leaves_root(std::string_view path) {
  return components_of(path).above > 0;
}

model::ArtifactReference reference_of(const Scalar& from) {
  std::string_view name = from.text;
  auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  auto trim = [&] {
    while (!name.empty() && is_blank(name.front())) name.remove_prefix(1);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
  };
  trim();
  if (name.starts_with("{{") && name.ends_with("}}")) name = name.substr(2, name.size() - 4);
  trim();
  return {.name = make_text(name)};
}

model::ArtifactSource artifact_source(const Artifact& artifact) {
  if (artifact.from) return reference_of(*artifact.from);
  return model::RawArtifact{make_text(artifact.raw ? artifact.raw->text : "")};
}

model::InputArtifact lower_input(const Artifact& artifact) {
  model::InputArtifact input;
  input.name = artifact.name.text;
  input.optional = artifact.optional;
  if (artifact.raw) input.fallback = model::RawArtifact{make_text(artifact.raw->text)};
  if (artifact.path) input.path = clean_path(artifact.path->text);
  return input;
}

model::Load load_of(const Artifact& artifact, const Values& names) {
  model::Load load;
  load.source = model::ArtifactReference{.name = make_text("inputs.artifacts." + artifact.name.text)};
  load.path = make_text(fill_names(clean_path(artifact.path->text), names));
  load.mode = artifact.mode;
  load.recurse_mode = artifact.recurse_mode;
  load.optional = artifact.optional;
  return load;
}

model::Save save_of(const Artifact& artifact, model::Archive::Kind unwritten, const Values& names) {
  model::Save save;
  save.name = artifact.name.text;
  save.path = make_text(fill_names(clean_path(artifact.path->text), names));
  save.missing = artifact.optional ? model::Save::Missing::ignore : model::Save::Missing::fail;
  save.archive = artifact.archive.value_or(model::Archive{unwritten, std::nullopt});
  return save;
}

}  // namespace kist::dialect::argo
