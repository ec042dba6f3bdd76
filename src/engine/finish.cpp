// In this order, so that a crash at any point leaves what a resumed run finishes again: objects, reference, row.
#include "engine/finish.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "task/task.hpp"

namespace kist::engine {
namespace {

namespace fs = std::filesystem;

// Nothing where no task wrote anything.
Result<std::optional<model::ArtifactRecord>> save_logs(const fs::path& directory, store::Transaction& transaction) {
  std::error_code error;
  if (!fs::exists(directory, error) || fs::is_empty(directory, error)) return std::nullopt;
  KIST_TRY_ASSIGN(store::Saved saved, transaction.save(directory, {.adopt = true, .strict = false}));
  model::ArtifactRecord logs;
  logs.name = "logs";
  logs.tree = saved.id.tree;
  logs.times = saved.id.times;
  logs.bytes = saved.bytes;
  logs.files = saved.files;
  return logs;
}

// A run that was finished once already, by an owner that died before it wrote the row, has a reference.
Status refer(store::Store& store, const std::string& name, const Digest& record) {
  std::optional<Digest> before;
  auto found = store.reference(name);
  if (found)
    before = *found;
  else if (found.error().kind != ErrorKind::not_found)
    return std::unexpected(found.error());
  return store.set_reference(name, record, before);
}

Result<Digest> put_record(const Parts& parts, const model::RunRecord& run, store::Transaction& transaction) {
  KIST_TRY_ASSIGN(Digest record, transaction.put_object(to_text(to_json(run))));
  KIST_TRY(transaction.commit());
  KIST_TRY(refer(parts.store, fmt::format("runs/{}", run.name), record));
  KIST_TRY_ASSIGN(auto summary, parts.catalog.summary(run.name));
  for (const std::string& tag : summary.tags) KIST_TRY(refer(parts.store, fmt::format("tags/{}", tag), record));
  return record;
}

}  // namespace

Status finish_run(const Parts& parts, model::RunRecord& run, Committer& committer) {
  fs::path logs = parts.home.run(run.name) / "logs";
  catalog::Changes changes;
  {
    KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
    KIST_TRY_ASSIGN(run.logs, save_logs(logs, *transaction));
    KIST_TRY_ASSIGN(run.marks, parts.catalog.marks(run.name));  // others may have written on it meanwhile
    KIST_TRY_ASSIGN(changes.record, put_record(parts, run, *transaction));
    if (parts.deliver) KIST_TRY(parts.deliver(run, *changes.record));
  }
  changes.run = run.name;
  changes.state = run.state;
  changes.message = run.message;
  changes.finished = run.finished;
  changes.logs = run.logs;
  model::RunRecord shown = run;
  shown.nodes.clear();
  committer.run(std::move(changes), std::move(shown));
  KIST_TRY(committer.flush());
  // A run that did not succeed may go on, and finds its volumes then.
  if (run.state == model::State::succeeded) KIST_TRY(remove_tree(task::run_volumes(parts.home.path(), run.name)));
  return remove_tree(logs);
}

Status keep_record(const Parts& parts, const model::RunRecord& run) {
  KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
  catalog::Changes changes;
  changes.run = run.name;
  KIST_TRY_ASSIGN(changes.record, put_record(parts, run, *transaction));
  return parts.catalog.apply(std::span(&changes, 1));
}

}  // namespace kist::engine
