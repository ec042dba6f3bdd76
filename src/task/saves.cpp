#include "task/saves.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "task/files_only.hpp"
#include "task/inside.hpp"
#include "task/paths.hpp"
#include "task/selection.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostNeighbours = 8;

struct Wanted {
  const std::string& name;
  const std::string path;  // as written
  model::Archive archive;
  bool directories = true;
  bool live = false;
  model::Save::Missing missing = model::Save::Missing::fail;
  std::vector<std::string> exclude = {};
};

std::vector<std::string> texts_of(const std::vector<model::Text>& texts) {
  std::vector<std::string> all;
  for (const auto& text : texts) all.push_back(text.source());
  return all;
}

Wanted wanted_by(const model::Action& action) {
  if (const auto* watch = std::get_if<model::Watch>(&action.what))
    return {.name = watch->name, .path = watch->path.source(), .archive = {}, .live = true};
  const auto& save = std::get<model::Save>(action.what);
  return {.name = save.name,
          .path = save.path.source(),
          .archive = save.archive,
          .directories = save.directories,
          .missing = save.missing,
          .exclude = texts_of(save.exclude)};
}

std::unexpected<Error> about(std::string_view artifact, Error error) {
  return with_context(fmt::format("artifact '{}'", artifact), std::move(error));
}

}  // namespace

Saves::Saves(const Document& document, const Containers& containers, const Tools& tools, TaskServices& services,
             TaskDirectory& staging)
    : document_(document), containers_(containers), tools_(tools), services_(services), staging_(staging) {}

Status Saves::save_now(std::size_t action, sandbox::Sandbox& sandbox) {
  KIST_TRY_ASSIGN(auto source, locate(action, sandbox));
  if (!source) return {};
  Wanted wanted = wanted_by(document_.task.actions[action]);
  auto saved = [&]() -> Status {
    KIST_TRY_ASSIGN(auto own, tools_.store.begin());
    KIST_TRY(store_source(*source, *own, false));
    const Named& entry = named(wanted.name);
    if (!entry.parts.contains(action)) return {};
    KIST_TRY_ASSIGN(model::ArtifactRecord record, merge(entry, *own));
    KIST_TRY(own->commit());
    return announce(record);
  }();
  if (!saved) return about(wanted.name, saved.error());
  return {};
}

Result<model::ArtifactRecord> Saves::publish(const std::string& name, const fs::path& path, sandbox::Sandbox& sandbox) {
  auto found = sandbox.find(path);
  if (!found && found.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, describe_missing(path, sandbox));
  if (!found) return std::unexpected(found.error());
  KIST_TRY_ASSIGN(auto transaction, tools_.store.begin());
  const fs::path outside = by_descriptor(found->handle);
  auto kept = transaction->save(outside);
  if (!kept) return std::unexpected(told_inside(kept.error(), outside, path));
  store::Saved& saved = *kept;
  KIST_TRY(transaction->commit());
  tell_left_out(name, saved.notices);
  model::ArtifactRecord record{.name = name,
                               .path = path.string(),
                               .tree = saved.id.tree,
                               .times = saved.id.times,
                               .bytes = saved.bytes,
                               .files = saved.files,
                               .archive = {},
                               .live = true,
                               .left_out = std::move(saved.notices)};
  KIST_TRY(announce(record));
  return record;
}

Status Saves::announce(const model::ArtifactRecord& record) {
  {
    Named& entry = named(record.name);
    std::lock_guard lock(mutex_);
    entry.record = record;
    entry.changed = false;
  }
  return services_.publish(record);
}

Status Saves::collect(std::size_t action, sandbox::Sandbox& sandbox) {
  KIST_TRY_ASSIGN(auto source, locate(action, sandbox));
  if (!source) return {};
  const std::string& name = wanted_by(document_.task.actions[action]).name;
  named(name);  // its place in the order
  if (source->in_scratch) {
    source->handle.reset();
    deferred_.push_back(std::move(*source));
    return {};
  }
  auto saved = [&]() -> Status {
    KIST_TRY_ASSIGN(store::Transaction * own, transaction());
    return store_source(*source, *own, false);
  }();
  if (!saved) return about(name, saved.error());
  return {};
}

void Saves::collect_watched(std::size_t action, const fs::path& source) {
  Wanted wanted = wanted_by(document_.task.actions[action]);
  named(wanted.name);
  Source& watched = deferred_.emplace_back();
  watched.action = action;
  watched.inside = containers_.path(document_.task.actions[action], wanted.path);
  watched.path = source;
  watched.in_scratch = watched.is_directory = true;
}

std::vector<std::string> Saves::finish(bool adopt) {
  std::vector<std::string> problems;
  auto note = [&](const Status& status) {
    if (!status) problems.push_back(status.error().text);
  };
  for (std::size_t i = 0; i < deferred_.size(); ++i) note(store_deferred(i, adopt));
  if (!transaction_) return problems;
  std::vector<std::pair<Named*, model::ArtifactRecord>> merged;
  for (Named& entry : named_) {
    if (!entry.changed) continue;
    auto record = merge(entry, *transaction_);
    if (record)
      merged.emplace_back(&entry, std::move(*record));
    else
      note(about(entry.name, record.error()));
  }
  if (auto committed = transaction_->commit(); !committed) {
    note(with_context("cannot keep the artifacts", committed.error()));
    return problems;
  }
  for (auto& [entry, record] : merged) entry->record = std::move(record);
  return problems;
}

std::vector<model::ArtifactRecord> Saves::artifacts() const {
  std::lock_guard lock(mutex_);
  std::vector<model::ArtifactRecord> records;
  for (const Named& entry : named_)
    if (entry.record) records.push_back(*entry.record);
  return records;
}

Result<std::optional<Saves::Source>> Saves::locate(std::size_t action, sandbox::Sandbox& sandbox) {
  const model::Action& save = document_.task.actions[action];
  Wanted wanted = wanted_by(save);
  Source source;
  source.action = action;
  source.inside = containers_.path(save, wanted.path);
  auto found = find_output(containers_.of(save), source.inside, sandbox);
  if (!found && found.error().kind == ErrorKind::not_found && has_pattern(source.inside.native())) {
    auto [directory, pattern] = split_pattern(source.inside.native());
    found = sandbox.find(directory);
    source.pattern = std::move(pattern);
  }
  if (!found && found.error().kind == ErrorKind::not_found) {
    if (wanted.missing == model::Save::Missing::notice)
      say(fmt::format("No artifact files found at {}", source.inside.string()));
    if (wanted.missing != model::Save::Missing::fail) return std::nullopt;
    return about(wanted.name, {ErrorKind::not_found, describe_missing(source.inside, sandbox)});
  }
  if (!found) return about(wanted.name, found.error());
  struct stat status{};
  if (::fstat(found->handle.get(), &status) != 0)
    return fail_errno(fmt::format("artifact '{}': cannot look at {}", wanted.name, source.inside.string()));
  source.is_directory = S_ISDIR(status.st_mode);
  source.in_scratch = !found->owned.empty();
  source.handle = std::move(found->handle);
  source.path = source.in_scratch ? found->owned : by_descriptor(source.handle);
  return source;
}

Status Saves::store_source(const Source& source, store::Transaction& transaction, bool adopt) {
  const fs::path path = source.handle ? by_descriptor(source.handle) : source.path;
  auto stored = store_from(path, source, transaction, adopt);
  if (!stored) return std::unexpected(told_inside(stored.error(), path, source.inside));
  return {};
}

Status Saves::store_from(fs::path path, const Source& source, store::Transaction& transaction, bool adopt) {
  Wanted wanted = wanted_by(document_.task.actions[source.action]);
  std::vector<std::string> left_out;
  auto nothing = [&](std::string_view what) -> Status {
    if (wanted.missing == model::Save::Missing::fail)
      return fail(ErrorKind::not_found, fmt::format("{} in {}", what, source.inside.string()));
    if (wanted.missing == model::Save::Missing::notice)
      say(fmt::format("No artifact files found at {}", source.inside.string()));
    return {};
  };
  if (!source.pattern.empty() && !source.is_directory) return nothing("nothing is selected");
  Selection selection{.include = {}, .exclude = wanted.exclude};
  if (!source.pattern.empty()) selection.include.push_back(source.pattern);
  if (source.is_directory && (!selection.include.empty() || !selection.exclude.empty())) {
    KIST_TRY_ASSIGN(fs::path staging, staging_.path());
    fs::path selected = staging / fmt::format("selected-{}", ++staged_);
    KIST_TRY_ASSIGN(bool is_there, bring_selected(path, selection, selected));
    if (!is_there) return nothing("nothing is selected");
    path = selected;
    adopt = false;
  }
  if (!wanted.directories && source.is_directory) {
    KIST_TRY_ASSIGN(fs::path staging, staging_.path());
    KIST_TRY_ASSIGN(FilesOnly files, files_only(path, source.inside, staging / fmt::format("files-{}", ++staged_)));
    left_out = std::move(files.left_out);
    tell_left_out(wanted.name, left_out);
    if (files.files == 0) return nothing("there are no files");
    path = files.source;
    adopt = adopt && path == source.path;
  }
  auto saved = transaction.save(path, {.adopt = adopt});
  if (!saved) return std::unexpected(told_inside(saved.error(), path, source.inside));
  tell_left_out(wanted.name, saved->notices);
  saved->notices.insert(saved->notices.begin(), left_out.begin(), left_out.end());
  add_part(source.action, std::move(*saved));
  return {};
}

void Saves::add_part(std::size_t action, store::Saved saved) {
  Named& entry = named(wanted_by(document_.task.actions[action]).name);
  std::lock_guard lock(mutex_);
  entry.parts[action] = std::move(saved);
  entry.changed = true;
}

// An adopted file is the store's from then on and no longer writable. So what several saves name is stored once, and
// where one save lies in another, the later adopts.
Status Saves::store_deferred(std::size_t index, bool adopt) {
  const Source& source = deferred_[index];
  Wanted wanted = wanted_by(document_.task.actions[source.action]);
  const Stored key{source.path, wanted.directories, source.pattern, wanted.exclude};
  if (auto known = stored_.find(key); known != stored_.end()) {
    add_part(source.action, known->second);
    return {};
  }
  auto overlaps = [&](const Source& later) {
    Wanted other = wanted_by(document_.task.actions[later.action]);
    bool same = Stored{later.path, other.directories, later.pattern, other.exclude} == key;
    return !same && (is_within(later.path, source.path) || is_within(source.path, later.path));
  };
  bool shared = std::any_of(deferred_.begin() + static_cast<std::ptrdiff_t>(index) + 1, deferred_.end(), overlaps);
  auto saved = [&]() -> Status {
    KIST_TRY_ASSIGN(store::Transaction * own, transaction());
    return store_source(source, *own, adopt && !shared);
  }();
  if (!saved) return about(wanted.name, saved.error());
  const Named& entry = named(wanted.name);
  if (auto part = entry.parts.find(source.action); part != entry.parts.end()) stored_.emplace(key, part->second);
  return {};
}

Result<model::ArtifactRecord> Saves::merge(const Named& entry, store::Transaction& own) const {
  Wanted wanted = wanted_by(document_.task.actions[entry.parts.rbegin()->first]);
  store::Saved all = entry.parts.rbegin()->second;
  std::vector<std::string> left_out;
  for (const auto& [action, saved] : entry.parts)
    left_out.insert(left_out.end(), saved.notices.begin(), saved.notices.end());
  if (entry.parts.size() > 1) {
    std::vector<store::Transaction::Part> parts;
    for (const auto& [action, saved] : entry.parts) parts.push_back({.prefix = "", .id = saved.id});
    KIST_TRY_ASSIGN(all, own.combine(parts));
  }
  return model::ArtifactRecord{.name = entry.name,
                               .path = wanted.path,
                               .tree = all.id.tree,
                               .times = all.id.times,
                               .bytes = all.bytes,
                               .files = all.files,
                               .archive = wanted.archive,
                               .live = wanted.live,
                               .left_out = std::move(left_out)};
}

Result<store::Transaction*> Saves::transaction() {
  if (!transaction_) {
    KIST_TRY_ASSIGN(transaction_, tools_.store.begin());
  }
  return transaction_.get();
}

Saves::Named& Saves::named(const std::string& name) {
  std::lock_guard lock(mutex_);
  for (Named& entry : named_)
    if (entry.name == name) return entry;
  Named& entry = named_.emplace_back();
  entry.name = name;
  return entry;
}

void Saves::tell_left_out(std::string_view artifact, const std::vector<std::string>& left_out) {
  for (const std::string& text : left_out) say(fmt::format("artifact '{}': left out: {}", artifact, text));
}

void Saves::say(std::string_view text) {
  services_.log(Stream::kist, fmt::format("{}\n", text));
}

Result<sandbox::Found> find_output(const ContainerHere& container, const fs::path& path, sandbox::Sandbox& sandbox) {
  auto found = sandbox.find(path);
  if (found || found.error().kind != ErrorKind::not_found) return found;
  const model::Container& written = *container.container;
  if (written.image.source().empty() || !written.working_directory.source().empty()) return found;
  auto beside = sandbox.find(container.working_directory / path.relative_path());
  return beside && !beside->owned.empty() ? std::move(beside) : std::move(found);
}

std::string describe_missing(const fs::path& path, sandbox::Sandbox& sandbox) {
  for (fs::path above = path.parent_path();; above = above.parent_path()) {
    auto directory = open_directory(sandbox, above);
    auto names = directory ? names_in(*directory) : std::unexpected(directory.error());
    if (!names && above != above.parent_path()) continue;
    if (!names || names->empty())
      return fmt::format("there is nothing at {}; {} is empty", path.string(), above.string());
    std::size_t shown = std::min(names->size(), kMostNeighbours);
    return fmt::format("there is nothing at {}; in {} there {} {}{}", path.string(), above.string(),
                       names->size() == 1 ? "is" : "are",
                       fmt::join(names->begin(), names->begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                       names->size() > shown ? fmt::format(" and {} more", names->size() - shown) : "");
  }
}

}  // namespace kist::task
