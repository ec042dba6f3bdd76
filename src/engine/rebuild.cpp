#include "engine/rebuild.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "engine/finish.hpp"
#include "engine/run_record.hpp"
#include "model/record.hpp"

namespace kist::engine {
namespace {

namespace fs = std::filesystem;

// The database with its log: a log must never meet another database.
Result<fs::path> set_aside(const catalog::Home& home) {
  fs::path to = home.path() / fmt::format("catalog.damaged-{}", now().time_since_epoch().count());
  for (const char* part : {"", "-wal", "-shm"}) {
    std::error_code error;
    fs::path from = home.catalog().string() + part;
    if (!fs::exists(from, error)) continue;
    fs::rename(from, to.string() + part, error);
    if (error) return fail_errno(fmt::format("cannot put {} aside", from.string()), error.value());
  }
  KIST_TRY(sync_directory(home.path()));
  return to;
}

}  // namespace

Result<Rebuilt> rebuild_catalog(const catalog::Home& home, store::Store& store) {
  Rebuilt rebuilt;
  auto catalog = catalog::Catalog::open(home);
  Status sound = catalog ? (*catalog)->check() : std::unexpected(catalog.error());
  if (!sound) {
    if (sound.error().kind != ErrorKind::corrupt) return std::unexpected(sound.error());
    if (catalog) catalog->reset();
    KIST_TRY_ASSIGN(rebuilt.set_aside, set_aside(home));
    catalog = catalog::Catalog::open(home);
  }
  if (!catalog) return std::unexpected(catalog.error());
  catalog::Catalog& runs = **catalog;

  struct Found {
    Time created;
    Digest record;
    std::string name;
  };
  std::vector<Found> found;
  KIST_TRY_ASSIGN(auto references, store.references("runs/"));
  for (const auto& [name, target] : references) {
    auto record = read_run_record(store, target);
    if (record)
      found.push_back({record->created, target, name});
    else
      rebuilt.problems.push_back(fmt::format("{}: {}", name, record.error().text));
  }
  std::ranges::sort(found, {}, &Found::created);  // the catalog counts runs as they come
  for (const Found& one : found) {
    KIST_TRY_ASSIGN(auto record, read_run_record(store, one.record));
    if (runs.summary(record.name)) continue;
    KIST_TRY(runs.import_run(record, one.record));
    ++rebuilt.runs;
  }
  KIST_TRY_ASSIGN(auto tags, store.references("tags/"));
  for (const auto& [name, target] : tags) {
    catalog::Tag tag{.name = name.substr(std::string_view("tags/").size()), .run = {}, .record = target, .created = {}};
    if (runs.tag(tag.name)) continue;
    auto record = read_run_record(store, target);
    if (!record) {
      rebuilt.problems.push_back(fmt::format("{}: {}", name, record.error().text));
      continue;
    }
    tag.run = record->name;
    tag.created = std::max(record->created, record->finished);
    KIST_TRY(runs.import_tag(tag));
    ++rebuilt.tags;
  }
  return rebuilt;
}

Result<std::vector<std::string>> lost_references(store::Store& store, catalog::Catalog& catalog, bool repair) {
  std::vector<std::string> lost;
  auto look = [&](const std::string& name, const std::optional<Digest>& record) -> Status {
    if (!record || !store.object(*record)) return {};
    auto target = store.reference(name);
    if (target) return {};
    const bool damaged = target.error().kind == ErrorKind::corrupt;
    if (!damaged && target.error().kind != ErrorKind::not_found) return std::unexpected(target.error());
    if (!repair && damaged) return {};  // the store's own check names it
    lost.push_back(name);
    if (!repair) return {};
    if (damaged) KIST_TRY(store.remove_reference(name));
    return store.set_reference(name, *record, std::nullopt);
  };
  KIST_TRY_ASSIGN(auto runs, catalog.runs({}));
  for (const catalog::RunSummary& run : runs) KIST_TRY(look("runs/" + run.name, run.record));
  KIST_TRY_ASSIGN(auto tags, catalog.tags());
  for (const catalog::Tag& tag : tags) KIST_TRY(look("tags/" + tag.name, tag.record));
  return lost;
}

Result<std::vector<std::string>> lost_records(const Parts& parts, bool repair) {
  std::vector<std::string> lost;
  KIST_TRY_ASSIGN(auto runs, parts.catalog.runs({}));
  for (const catalog::RunSummary& summary : runs) {
    if (!summary.record || read_run_record(parts.store, *summary.record)) continue;
    auto run = parts.catalog.run(summary.name);
    if (!run && run.error().kind == ErrorKind::not_found) continue;  // removed meanwhile
    if (!run) return std::unexpected(run.error());
    if (repair) {
      KIST_TRY(keep_record(parts, *run));
      KIST_TRY_ASSIGN(const auto kept, parts.catalog.summary(summary.name));
      if (!kept.record || !read_run_record(parts.store, *kept.record)) continue;
    }
    lost.push_back(summary.name);
  }
  return lost;
}

}  // namespace kist::engine
