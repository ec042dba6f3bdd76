// In this order, so that a crash at any point leaves what a resumed run finishes again: objects, reference, row.
#include "engine/finish.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "engine/references.hpp"
#include "engine/run_record.hpp"
#include "engine/tags.hpp"
#include "engine/timers.hpp"
#include "task/task.hpp"

namespace kist::engine {
namespace {

namespace fs = std::filesystem;

// Nothing where no task wrote anything.
Result<std::optional<model::ArtifactRecord>> save_logs(const fs::path& directory, store::Transaction& transaction) {
  std::error_code error;
  if (!fs::exists(directory, error) || fs::is_empty(directory, error)) return std::nullopt;
  // Copied: where the end does not succeed, a resumed run writes on into these files.
  KIST_TRY_ASSIGN(store::Saved saved, transaction.save(directory, {.adopt = false, .strict = false}));
  model::ArtifactRecord logs;
  logs.name = "logs";
  logs.tree = saved.id.tree;
  logs.times = saved.id.times;
  logs.bytes = saved.bytes;
  logs.files = saved.files;
  return logs;
}

Result<Digest> put_record(const Parts& parts, const model::RunRecord& run, store::Transaction& transaction) {
  // It goes where the catalog does not: to remotes.
  KIST_TRY_ASSIGN(Digest record, transaction.put_object(to_text(to_json(hide_secrets(run)))));
  KIST_TRY(transaction.commit());
  KIST_TRY(refer(parts.store, fmt::format("runs/{}", run.name), record));
  return record;
}

// Tags are moved by others meanwhile, so their references go by the catalog, and follow the row that gives them their
// record. Where a crash comes between, `kist gc` does it.
Status refer_tags_of(const Parts& parts, std::string_view run) {
  KIST_TRY_ASSIGN(const auto summary, parts.catalog.summary(run));
  return refer_tags(parts, summary.tags);
}

// 0: its file does not say.
Time expiry_of(const model::Expiry& expiry, const model::RunRecord& run) {
  const auto& own = model::is_success(run.state) ? expiry.after_success : expiry.after_failure;
  const auto kept = own && run.state != model::State::error ? own : expiry.after_any_end;
  return kept ? after(run.finished, *kept) : Time{};
}

}  // namespace

Status finish_run(const Parts& parts, model::RunRecord& run, const model::Workflow& workflow, Committer& committer,
                  std::vector<catalog::Measurement> measured) {
  run.expires = expiry_of(workflow.expiry, run);
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
  changes.expires = run.expires;
  changes.logs = run.logs;
  changes.measured = std::move(measured);
  model::RunRecord shown = run;
  shown.nodes.clear();
  committer.run(std::move(changes), std::move(shown));
  KIST_TRY(committer.flush());
  KIST_TRY(refer_tags_of(parts, run.name));
  // A run that did not succeed may go on, and finds its volumes then.
  if (run.state == model::State::succeeded || workflow.volumes_end_with_it)
    KIST_TRY(remove_tree(task::run_volumes(parts.home.path(), run.name)));
  return remove_tree(logs);
}

Status keep_record(const Parts& parts, const model::RunRecord& run) {
  KIST_TRY_ASSIGN(auto transaction, parts.store.begin());
  catalog::Changes changes;
  changes.run = run.name;
  KIST_TRY_ASSIGN(changes.record, put_record(parts, run, *transaction));
  KIST_TRY(parts.catalog.apply(std::span(&changes, 1)));
  return refer_tags_of(parts, run.name);
}

}  // namespace kist::engine
