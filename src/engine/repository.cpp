#include "engine/repository.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/file.hpp"

namespace kist::engine {

namespace fs = std::filesystem;

namespace {

store::ArtifactId id_of(const model::ArtifactRecord& artifact) {
  return {.tree = artifact.tree, .times = artifact.times};
}

model::ArtifactRecord record_of(const store::Saved& saved) {
  model::ArtifactRecord artifact;
  artifact.tree = saved.id.tree;
  artifact.times = saved.id.times;
  artifact.bytes = saved.bytes;
  artifact.files = saved.files;
  artifact.left_out = saved.notices;
  return artifact;
}

// Whether it lies in a bucket as many objects: a directory that was not packed.
Result<bool> is_spread(store::Store& store, const model::ArtifactRecord& artifact) {
  if (artifact.archive.kind != model::Archive::Kind::none) return false;
  KIST_TRY_ASSIGN(const store::Entry top, store.find(id_of(artifact), ""));
  return top.type == store::EntryType::directory;
}

// Nothing where the key lies in no directory.
Result<std::optional<model::ArtifactRecord>> find_inside(const Parts& parts, const std::string& key) {
  for (auto slash = key.rfind('/'); slash != std::string::npos && slash > 0; slash = key.rfind('/', slash - 1)) {
    auto above = parts.catalog.key(key.substr(0, slash));
    if (!above && above.error().kind == ErrorKind::not_found) continue;
    if (!above) return std::unexpected(above.error());
    KIST_TRY_ASSIGN(const bool spread, is_spread(parts.store, above->artifact));
    if (!spread) continue;
    const std::string path = key.substr(slash + 1);
    auto there = parts.store.find(id_of(above->artifact), path);
    if (!there && there.error().kind == ErrorKind::not_found) continue;
    if (!there) return std::unexpected(there.error());
    KIST_TRY_ASSIGN(const auto scratch, ScratchDirectory::make(parts.home.path(), kPartOfKey));
    const fs::path copy = scratch.path() / "part";
    KIST_TRY(parts.store.restore(id_of(above->artifact), path, copy));
    KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
    KIST_TRY_ASSIGN(auto saved, transaction->save(copy));
    KIST_TRY(transaction->commit());
    return record_of(saved);
  }
  return std::nullopt;
}

}  // namespace

std::string key_of(std::string_view written) {
  std::string key;
  for (const char c : written)
    if (c != '/' || (!key.empty() && !key.ends_with('/'))) key += c;
  while (key.ends_with('/')) key.pop_back();
  return key;
}

Result<model::ArtifactRecord> find_key(const Parts& parts, std::string_view written) {
  const std::string key = key_of(written);
  std::vector<store::Transaction::Part> found;
  if (!key.empty()) {
    auto exact = parts.catalog.key(key);
    if (!exact && exact.error().kind != ErrorKind::not_found) return std::unexpected(exact.error());
    if (exact) {
      KIST_TRY_ASSIGN(const bool spread, is_spread(parts.store, exact->artifact));
      exact->artifact.name.clear();
      exact->artifact.path.clear();
      if (!spread && !written.ends_with('/')) return std::move(exact->artifact);
      if (spread) found.push_back({.prefix = "", .id = id_of(exact->artifact)});
    }
  }
  KIST_TRY_ASSIGN(const auto below, parts.catalog.keys(key.empty() ? "" : key + "/"));
  for (const catalog::Key& each : below)
    found.push_back({.prefix = each.key.substr(key.empty() ? 0 : key.size() + 1), .id = id_of(each.artifact)});
  if (found.empty()) {
    KIST_TRY_ASSIGN(auto inside, find_inside(parts, key));
    if (inside) return std::move(*inside);
    return fail(ErrorKind::not_found,
                fmt::format("there is nothing under the key '{}': `kist put {} PATH` puts something there", key, key));
  }
  KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
  KIST_TRY_ASSIGN(auto saved, transaction->combine(found));
  KIST_TRY(transaction->commit());
  return record_of(saved);
}

Result<std::vector<std::string>> keys_below(const Parts& parts, std::string_view prefix) {
  std::vector<std::string> found;
  KIST_TRY_ASSIGN(const auto all, parts.catalog.keys(""));
  for (const catalog::Key& each : all) {
    // One that is shorter may be a directory which the prefix leads into.
    const bool leads_in = prefix.starts_with(each.key + "/");
    if (!leads_in && !each.key.starts_with(prefix)) continue;
    KIST_TRY_ASSIGN(const bool spread, is_spread(parts.store, each.artifact));
    if (!spread) {
      if (!leads_in) found.push_back(each.key);
      continue;
    }
    KIST_TRY(parts.store.list(id_of(each.artifact), {}, [&](const store::Entry& entry) {
      if (entry.type == store::EntryType::directory) return true;
      std::string key = each.key + "/" + entry.path;
      if (key.starts_with(prefix)) found.push_back(std::move(key));
      return true;
    }));
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

Result<std::optional<catalog::Key>> put_under_key(const Parts& parts, std::string_view written,
                                                  const fs::path& source) {
  catalog::Key key{.key = key_of(written), .artifact = {}, .run = {}, .created = parts.clock()};
  KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
  KIST_TRY_ASSIGN(const auto saved, transaction->save(source, {.adopt = false, .strict = true}));
  KIST_TRY(transaction->commit());
  key.artifact = record_of(saved);
  key.artifact.name = fs::path(key.key).filename();
  key.artifact.path = source;
  std::optional<catalog::Key> before;
  auto there = parts.catalog.key(key.key);
  if (there)
    before = std::move(*there);
  else if (there.error().kind != ErrorKind::not_found)
    return std::unexpected(there.error());
  KIST_TRY(parts.catalog.set_key(key));  // the transaction holds what it names until then
  return before;
}

}  // namespace kist::engine
