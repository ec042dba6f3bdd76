#include "cli/listing.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/terminal.hpp"
#include "cli/context.hpp"
#include "model/address.hpp"

namespace kist::cli {

namespace {

store::ArtifactId id_of(const model::ArtifactRecord& artifact) {
  return {artifact.tree, artifact.times};
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

// What is to be listed of one artifact: what lies in `directory` and begins with `begins`.
struct Part {
  model::AddressedArtifact artifact;
  std::string directory;
  std::string begins;  // a whole path inside the artifact; empty: everything
};

std::string clean(std::string_view prefix) {
  while (prefix.starts_with("./")) prefix.remove_prefix(2);
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  return std::string(prefix);
}

// The prefix is, in this order: something inside an artifact, or how longer addresses begin ("mod" of "model", "fit" of
// "fit/model").
Result<std::vector<Part>> parts_of(store::Store& store, const model::RunRecord& run, const std::string& prefix) {
  std::vector<Part> parts;
  auto all = model::addresses(run);
  if (prefix.empty()) {
    for (auto& artifact : all) parts.push_back({std::move(artifact), "", ""});
    return parts;
  }
  auto found = model::resolve(run, prefix);
  if (found) {
    const auto id = id_of(*found->artifact.artifact);
    std::string inside = found->inside;
    while (inside.ends_with('/')) inside.pop_back();
    auto entry = store.find(id, inside);
    if (!entry && entry.error().kind != ErrorKind::not_found) return std::unexpected(std::move(entry).error());
    if (entry && entry->type == store::EntryType::directory) {
      parts.push_back({std::move(found->artifact), inside, ""});
    } else {
      parts.push_back({std::move(found->artifact), std::string(parent_of(inside)), inside});
    }
    return parts;
  }
  if (found.error().kind != ErrorKind::not_found) return std::unexpected(std::move(found).error());
  for (auto& artifact : all) {
    const auto& name = artifact.artifact->name;
    const auto begins = [&](const std::string& form) { return form.starts_with(prefix); };
    if (begins(artifact.address) || begins(artifact.node->step + "/" + name) ||
        begins(artifact.node->names.name + "/" + name)) {
      parts.push_back({std::move(artifact), "", ""});
    }
  }
  return parts;
}

Status list_part(store::Store& store, const Part& part, const ListingOptions& options, std::vector<Listed>& files) {
  const auto id = id_of(*part.artifact.artifact);
  std::vector<store::Entry> entries;
  std::unordered_set<std::string> parents;                // directories that hold something
  std::unordered_map<std::string, std::uint64_t> totals;  // by the directory directly in part.directory
  const auto inside_directory = [&](std::string_view path) {
    if (part.directory.empty()) return path;
    return path.size() > part.directory.size() ? path.substr(part.directory.size() + 1) : std::string_view{};
  };

  const bool whole = options.recursive || options.totals;
  KIST_TRY(store.list(id, {.prefix = part.directory, .recursive = whole}, [&](const store::Entry& entry) {
    if (entry.path == part.directory && entry.type == store::EntryType::directory) return true;
    if (!entry.path.starts_with(part.begins)) return true;
    const auto below = inside_directory(entry.path);
    const auto slash = below.find('/');
    if (options.totals && entry.type == store::EntryType::file && slash != std::string_view::npos)
      totals[entry.path.substr(0, entry.path.size() - below.size() + slash)] += entry.size;
    if (!options.recursive && slash != std::string_view::npos) return true;
    if (options.recursive) parents.emplace(parent_of(entry.path));
    entries.push_back(entry);
    return true;
  }));

  const auto& address = part.artifact.address;
  if (entries.empty() && part.directory.empty() && part.begins.empty()) {
    KIST_TRY_ASSIGN(auto top, store.find(id, ""));
    files.push_back({address, "", std::move(top), std::nullopt});
    return {};
  }
  for (auto& entry : entries) {
    if (entry.type == store::EntryType::directory) {
      if (options.recursive && parents.contains(entry.path)) continue;
      std::optional<std::uint64_t> size;
      if (options.totals) size = totals[entry.path];
      files.push_back({address, entry.path + "/", std::move(entry), size});
    } else {
      std::optional<std::uint64_t> size;
      if (entry.type == store::EntryType::file) size = entry.size;
      std::string path = entry.path;
      files.push_back({address, std::move(path), std::move(entry), size});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Listed>> list_files(store::Store& store, const model::RunRecord& run,
                                       const ListingOptions& options) {
  const std::string prefix = clean(options.prefix);
  KIST_TRY_ASSIGN(const auto parts, parts_of(store, run, prefix));
  std::vector<Listed> files;
  for (const auto& part : parts) KIST_TRY(list_part(store, part, options, files));
  if (files.empty() && !prefix.empty())
    return fail(ErrorKind::not_found, fmt::format("No artifact of '{}' begins with '{}'", run.name, prefix));
  return files;
}

std::string listing_as_table(const std::vector<Listed>& files, bool colored) {
  Table table({"PATH", "FILE", "SIZE"});
  const std::string* group = nullptr;
  for (const auto& file : files) {
    const bool first = group == nullptr || *group != file.artifact;
    group = &file.artifact;
    Table::Cell name(file.file);
    if (file.entry.type == store::EntryType::directory) name.color = Color::blue;
    if (file.entry.type == store::EntryType::link) name.text += " -> " + file.entry.link_target;
    table.add({first ? file.artifact : "", std::move(name), file.size ? human_size(*file.size) : ""});
  }
  return table.to_text(colored);
}

Json listing_as_json(const std::vector<Listed>& files) {
  constexpr std::string_view kTypes[] = {"file", "directory", "link"};
  Json list = Json::array();
  for (const auto& file : files) {
    Json item{{"name", file.artifact},
              {"path", file.file.empty() ? file.artifact : fmt::format("{}/{}", file.artifact, file.file)},
              {"file", file.file},
              {"type", kTypes[static_cast<int>(file.entry.type)]}};
    if (file.size) item["size"] = *file.size;
    item["mode"] = fmt::format("{:04o}", file.entry.mode);
    item["modified"] = json_time(file.entry.modified);
    if (file.entry.type == store::EntryType::link) item["target"] = file.entry.link_target;
    if (file.entry.file) item["digest"] = file.entry.file->to_string();
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace kist::cli
