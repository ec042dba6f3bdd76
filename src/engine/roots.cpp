#include "engine/roots.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/run_record.hpp"

namespace kist::engine {
namespace {

using Problem = std::function<void(const std::string&, const Error&)>;

class Taking {
 public:
  Taking(store::Store& store, catalog::Catalog* catalog, const store::TakeRoot& take, const Problem* problem,
         const std::set<std::string>& without = {})
      : store_(store), catalog_(catalog), take_(take), problem_(problem), without_(without) {}

  Status all() {
    // First the catalog, then the references: a run that ends between the two looks gets its reference first.
    if (catalog_ != nullptr) KIST_TRY(cataloged());
    for (const char* kind : {"runs/", "tags/"}) KIST_TRY(references(kind));
    return other_references();
  }

 private:
  Status cataloged() {
    KIST_TRY_ASSIGN(auto runs, catalog_->runs({}));
    for (const catalog::RunSummary& summary : runs) {
      if (without_.contains(summary.name)) continue;
      if (summary.record) {
        KIST_TRY(record(fmt::format("run {}", summary.name), *summary.record));
        continue;
      }
      auto run = catalog_->run(summary.name);
      if (!run && run.error().kind == ErrorKind::not_found) continue;  // removed meanwhile
      if (!run) return std::unexpected(run.error());
      KIST_TRY(artifacts(fmt::format("run {}", summary.name), *run));
    }
    // Gathered first: while memos() reads, the catalog waits, and to take one means to walk its trees.
    std::vector<store::Root> remembered;
    KIST_TRY(catalog_->memos([&](std::string_view cache, std::string_view key, const catalog::Memo& memo) {
      for (const model::ArtifactRecord& artifact : memo.node.output_artifacts)
        remembered.push_back({fmt::format("what is remembered as '{}' in '{}'", key, cache),
                              store::ArtifactId{artifact.tree, artifact.times}});
      return Status();
    }));
    for (const store::Root& root : remembered) KIST_TRY(take_(root));
    KIST_TRY_ASSIGN(auto tags, catalog_->tags());
    for (const catalog::Tag& tag : tags)
      if (tag.record) KIST_TRY(record(fmt::format("tag {}", tag.name), *tag.record));
    KIST_TRY_ASSIGN(auto keys, catalog_->keys(""));
    for (const catalog::Key& key : keys)
      KIST_TRY(take_({fmt::format("key {}", key.key), store::ArtifactId{key.artifact.tree, key.artifact.times}}));
    return {};
  }

  Status references(std::string_view kind) {
    auto found = store_.references(kind);
    if (!found && problem_ != nullptr) return {};  // the store's own check names the file
    if (!found) return std::unexpected(found.error());
    for (const auto& [name, target] : *found)
      if (kind != "runs/" || !without_.contains(name.substr(kind.size())))
        KIST_TRY(record(fmt::format("{} {}", kind == "runs/" ? "run" : "tag", name.substr(kind.size())), target));
    return {};
  }

  // What a reference of a kind that is not known here leads to must be a record too, or it is not known what it keeps.
  Status other_references() {
    auto found = store_.references("");
    if (!found && problem_ != nullptr) return {};
    if (!found) return std::unexpected(found.error());
    for (const auto& [name, target] : *found)
      if (!name.starts_with("runs/") && !name.starts_with("tags/")) KIST_TRY(record("reference " + name, target));
    return {};
  }

  Status record(const std::string& name, const Digest& digest) {
    if (!seen_.insert(digest).second) return {};
    auto run = read_run_record(store_, digest);
    if (!run) {
      if (problem_ == nullptr)
        return with_context(fmt::format("the record of {} cannot be read, so what it keeps is not known (`kist fsck` "
                                        "tells more)",
                                        name),
                            run.error());
      (*problem_)(name, run.error());
      return {};
    }
    KIST_TRY(take_({fmt::format("the record of {}", name), digest}));
    return artifacts(name, *run);
  }

  Status artifacts(const std::string& name, const model::RunRecord& run) {
    Status status;
    each_artifact(run, [&](const model::ArtifactRecord& artifact, const std::string& what) {
      if (status) status = take_({fmt::format("{}, {}", name, what), store::ArtifactId{artifact.tree, artifact.times}});
    });
    return status;
  }

  store::Store& store_;
  catalog::Catalog* catalog_;
  const store::TakeRoot& take_;
  const Problem* problem_;
  const std::set<std::string> without_;
  std::set<Digest> seen_;
};

}  // namespace

void each_artifact(const model::RunRecord& run,
                   const std::function<void(const model::ArtifactRecord&, std::string)>& each) {
  for (const model::NodeRecord& node : run.nodes) {
    for (const model::ArtifactRecord& artifact : node.output_artifacts)
      each(artifact, fmt::format("artifact '{}' of {}", artifact.name, node.names.display));
    for (const model::ArtifactRecord& artifact : node.input_artifacts)
      each(artifact, fmt::format("input '{}' of {}", artifact.name, node.names.display));
  }
  if (run.logs) each(*run.logs, "its logs");
  for (const model::UsedRun& used : run.used_runs)
    for (const model::ArtifactRecord& artifact : used.artifacts)
      each(artifact, fmt::format("artifact '{}' of {}", artifact.name, used.run));
}

Status take_roots(const Parts& parts, const store::TakeRoot& take, const std::set<std::string>& without) {
  return Taking(parts.store, &parts.catalog, take, nullptr, without).all();
}

Status take_readable_roots(store::Store& store, catalog::Catalog* catalog, const store::TakeRoot& take,
                           const std::function<void(const std::string&, const Error&)>& problem) {
  return Taking(store, catalog, take, &problem).all();
}

Status take_groups(const Parts& parts, const store::TakeGroup& take) {
  auto group_of = [](std::string name, const model::RunRecord& run, const std::optional<Digest>& record) {
    store::Group group{std::move(name), {}};
    if (record) group.roots.push_back({"its record", *record});
    each_artifact(run, [&](const model::ArtifactRecord& artifact, std::string what) {
      group.roots.push_back({std::move(what), store::ArtifactId{artifact.tree, artifact.times}});
    });
    return group;
  };
  KIST_TRY_ASSIGN(auto runs, parts.catalog.runs({}));
  std::set<Digest> records;
  for (const catalog::RunSummary& summary : runs) {
    auto run = parts.catalog.run(summary.name);
    if (!run && run.error().kind == ErrorKind::not_found) continue;
    if (!run) return std::unexpected(run.error());
    if (summary.record) records.insert(*summary.record);
    KIST_TRY(take(group_of(summary.name, *run, summary.record)));
  }
  KIST_TRY_ASSIGN(auto tags, parts.catalog.tags());
  for (const catalog::Tag& tag : tags) {
    if (!tag.record || !records.insert(*tag.record).second) continue;
    auto run = read_run_record(parts.store, *tag.record);
    if (!run) continue;  // `kist fsck` tells
    KIST_TRY(take(group_of(":" + tag.name, *run, tag.record)));
  }
  KIST_TRY_ASSIGN(auto keys, parts.catalog.keys(""));
  store::Group repository{"keys", {}};
  for (const catalog::Key& key : keys)
    repository.roots.push_back({"key " + key.key, store::ArtifactId{key.artifact.tree, key.artifact.times}});
  if (!keys.empty()) KIST_TRY(take(repository));
  return {};
}

}  // namespace kist::engine
