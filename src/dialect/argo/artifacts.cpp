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

namespace {

std::string_view key_name(const Place& place) {
  return place.kind == "azure" ? "blob" : place.kind == "hdfs" ? "path" : "key";
}

}  // namespace

const Scalar* key_of(const Place& place) {
  const Scalar* key = place.text(key_name(place));
  return key != nullptr && !key->text.empty() ? key : nullptr;
}

namespace {

// A path in a repository that is a directory of this machine.
Scalar below_directory(const Place& place, const std::string& key) {
  const Scalar* directory = place.text("path");
  return {fmt::format("{}/{}", directory == nullptr ? "" : directory->text, key), place.mark};
}

bool has_keys(const Place& place) {
  return place.kind == "s3" || place.kind == "oss" || place.kind == "gcs" || place.kind == "azure";
}

// Whether it says which server and bucket it means.
bool says_where(const Place& place) {
  if (place.kind == "s3" || place.kind == "oss")
    return place.text("endpoint") != nullptr && place.text("bucket") != nullptr;
  if (place.kind == "gcs") return place.text("bucket") != nullptr;
  if (place.kind == "azure") return place.text("endpoint") != nullptr && place.text("container") != nullptr;
  if (place.kind == "git") return place.text("repo") != nullptr;
  if (place.kind == "http" || place.kind == "artifactory") return place.text("url") != nullptr;
  if (place.kind == "hdfs") return place.text("addresses") != nullptr;
  return place.text("path") != nullptr;
}

}  // namespace

bool is_complete(const Place& place) {
  return says_where(place) && (!has_keys(place) || key_of(place) != nullptr);
}

std::optional<model::Location> lower_place(const Place& place, const Repository& repository, const Values& names,
                                           bool whole) {
  auto text = [&](const Scalar& scalar) { return make_text(fill_names(scalar.text, names)); };
  model::Location location;
  location.kind = place.kind;
  auto add = [&](const Place& from) {
    for (const Place::Field& field : from.fields) {
      if (const auto* scalar = std::get_if<Scalar>(&field.value)) {
        location.fields.push_back({field.name, text(*scalar)});
      } else {
        const auto& selector = std::get<KeySelector>(field.value);
        location.fields.push_back(
            {field.name, model::SecretReference{text(selector.name), text(selector.key), selector.optional}});
      }
    }
  };
  const Scalar* key = key_of(place);
  const auto name_whole = [&](const Place& by) {
    if (key == nullptr && has_keys(by)) location.set(std::string(key_name(by)), model::Text::literal(""));
  };
  if (is_complete(place) || (whole && says_where(place))) {
    add(place);
    name_whole(place);
    return location;
  }
  if (key == nullptr && !whole) return std::nullopt;
  if (!repository.place) {
    location.kind = "key";
    location.set("key", key != nullptr ? text(*key) : model::Text::literal(""));
    return location;
  }
  if (repository.place->kind == "file") {
    location.kind = "file";
    location.set("path", text(below_directory(*repository.place, key == nullptr ? "" : key->text)));
    return location;
  }
  // What the artifact says itself wins; a bucket of its own keeps the repository's endpoint and credentials.
  location.kind = repository.place->kind;
  add(place);
  const std::size_t own = location.fields.size();
  add(*repository.place);
  for (std::size_t at = location.fields.size(); at > own; --at) {
    const std::string& name = location.fields[at - 1].name;
    const bool known = std::any_of(location.fields.begin(), location.fields.begin() + static_cast<std::ptrdiff_t>(own),
                                   [&](const model::LocationField& field) { return field.name == name; });
    if (known) location.fields.erase(location.fields.begin() + static_cast<std::ptrdiff_t>(at) - 1);
  }
  name_whole(*repository.place);
  return location;
}

model::ArtifactSource artifact_source(const Artifact& artifact, const Repository& repository) {
  std::optional<expression::Text> sub_path;
  if (artifact.sub_path) sub_path = make_text(artifact.sub_path->text);
  if (artifact.from) {
    model::ArtifactReference reference = reference_of(*artifact.from);
    reference.sub_path = std::move(sub_path);
    return reference;
  }
  if (artifact.expression)
    return model::ArtifactExpression{make_expression(artifact.expression->text), std::move(sub_path)};
  if (artifact.place)
    if (auto location = lower_place(*artifact.place, repository, {}))
      return model::ExternalArtifact{std::move(*location), artifact.archive, std::move(sub_path)};
  return model::RawArtifact{make_text(artifact.raw ? artifact.raw->text : "")};
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

model::InputArtifact lower_input(const Artifact& artifact, const Repository& repository) {
  model::InputArtifact input;
  input.name = artifact.name.text;
  input.optional = artifact.optional;
  if (artifact.raw) input.fallback = model::RawArtifact{make_text(artifact.raw->text)};
  if (artifact.place)
    if (auto location = lower_place(*artifact.place, repository, {}))
      input.fallback = model::ExternalArtifact{std::move(*location), artifact.archive};
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

namespace {

model::Save::Collect collect_of(const Spec& spec, const Artifact& artifact) {
  const std::optional<Scalar>& strategy = artifact.collection ? artifact.collection : spec.collection;
  if (strategy && strategy->text == "OnWorkflowCompletion") return model::Save::Collect::at_completion;
  if (strategy && strategy->text == "OnWorkflowDeletion") return model::Save::Collect::at_deletion;
  return model::Save::Collect::never;
}

void set_key(Place& place, std::string_view name, const std::string& key) {
  std::erase_if(place.fields, [&](const Place::Field& field) { return field.name == name; });
  place.fields.push_back({std::string(name), Scalar{key, place.mark}});
}

// Where an output goes that says nothing of it, by the file it is there: below the template's archiveLocation, else in
// the repository of the workflow; of a bare spec, in this home's, where Onepanel's own keeps it. Else nowhere.
std::optional<Place> default_place(const Spec& spec, const Template& definition, const std::string& file) {
  constexpr std::string_view kFormat = "{{workflow.name}}/{{pod.name}}";
  constexpr std::string_view kOnepanelFormat = "artifacts/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}";
  std::optional<Place> place = definition.archive_place;
  std::string above;
  if (place) {
    const Scalar* prefix = key_of(*place);
    above = prefix == nullptr ? kFormat : prefix->text;
  } else if (spec.repository.place) {
    place = spec.repository.place;
    above = spec.repository.key_format.empty() ? kFormat : spec.repository.key_format;
  } else if (spec.bare) {
    place.emplace();
    place->kind = "s3";
    above = kOnepanelFormat;
  } else {
    return std::nullopt;
  }
  const std::string key = fmt::format("{}/{}", above, file);
  if (place->kind == "artifactory") {
    if (const Scalar* repository = place->text("repoURL")) set_key(*place, "url", repository->text + "/" + key);
  } else if (place->kind == "file") {
    set_key(*place, "path", below_directory(*place, key).text);
  } else {
    set_key(*place, key_name(*place), key);
  }
  return place;
}

std::optional<model::Location> location_of(const Spec& spec, const Template& definition, const Artifact& artifact,
                                           model::Archive::Kind archive, const Values& names) {
  if (artifact.place)
    return lower_place(*artifact.place,
                       definition.archive_place ? Repository{definition.archive_place, "", {}} : spec.repository,
                       names);
  const std::string path = clean_path(artifact.path->text);
  const std::string file = archive == model::Archive::Kind::tar   ? artifact.name.text + ".tgz"
                           : archive == model::Archive::Kind::zip ? artifact.name.text + ".zip"
                                                                  : path.substr(path.find_last_of('/') + 1);
  const auto place = default_place(spec, definition, file);
  return place ? lower_place(*place, spec.repository, names) : std::nullopt;
}

}  // namespace

std::optional<model::Location> log_location(const Spec& spec, const Template& definition, std::string_view container) {
  const auto place = default_place(spec, definition, fmt::format("{}.log", container));
  return place ? lower_place(*place, spec.repository, {}) : std::nullopt;
}

model::Save save_of(const Spec& spec, const Template& definition, const Artifact& artifact, const Values& names) {
  const auto unwritten = spec.bare ? model::Archive::Kind::none : model::Archive::Kind::tar;
  model::Save save;
  save.name = artifact.name.text;
  save.late_name = late_text(artifact.name.text);
  save.path = make_text(fill_names(clean_path(artifact.path->text), names));
  save.missing = artifact.optional ? model::Save::Missing::ignore : model::Save::Missing::fail;
  save.archive = artifact.archive.value_or(model::Archive{unwritten, std::nullopt});
  for (const Scalar& pattern : artifact.exclude) save.exclude.push_back(make_text(fill_names(pattern.text, names)));
  if (artifact.global) save.global = make_text(artifact.global->text);
  save.to = location_of(spec, definition, artifact, save.archive.kind, names);
  if (save.to) save.collect = collect_of(spec, artifact);
  return save;
}

}  // namespace kist::dialect::argo
