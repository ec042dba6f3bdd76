#include "engine/engine.hpp"

#include <array>
#include <chrono>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.hpp"
#include "engine/bind.hpp"
#include "engine/committer.hpp"
#include "engine/finish.hpp"
#include "engine/objects.hpp"
#include "engine/recurrence.hpp"
#include "engine/rerun.hpp"
#include "engine/retention.hpp"
#include "engine/revision.hpp"
#include "engine/run_record.hpp"
#include "engine/scheduler.hpp"
#include "engine/sent.hpp"
#include "engine/tags.hpp"

namespace kist::engine {
namespace {

using namespace std::chrono_literals;
using model::RunRecord;
using model::State;

namespace fs = std::filesystem;

// Whoever looks whether a run is owned holds its lock for a moment.
constexpr int kLockAttempts = 50;
constexpr auto kLockAgain = 5ms;

fs::path owner_file(const catalog::Home& home, std::string_view run) {
  return home.run(run) / "owner";
}

// Tasks submit runs too, several at once: getpwuid() would give all of them the same memory.
std::string user_name() {
  std::array<char, 16 << 10> buffer;
  passwd entry{};
  passwd* user = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &user) == 0 && user != nullptr)
    return user->pw_name;
  return fmt::format("{}", ::geteuid());
}

// RFC 4122, version 4.
std::string make_uuid(const std::function<std::uint32_t(std::uint32_t)>& random) {
  auto word = [&] { return random(0x10000); };
  return fmt::format("{:04x}{:04x}-{:04x}-4{:03x}-{:04x}-{:04x}{:04x}{:04x}", word(), word(), word(), word() & 0xfff,
                     0x8000 | (word() & 0x3fff), word(), word(), word());
}

// Every source of artifacts in a workflow, and its place in a file where it is known.
template <typename Each>
void for_each_source(const model::Workflow& workflow, Each each) {
  auto of_arguments = [&](const model::Arguments& arguments) {
    for (const auto& [name, source] : arguments.artifacts) each(source, model::Origin{});
    for (const auto& [name, source] : arguments.late_artifacts) each(source, model::Origin{});
  };
  of_arguments(workflow.entry.arguments);
  for (const auto& [name, definition] : workflow.definitions) {
    for (const model::InputArtifact& input : definition.artifacts)
      if (input.fallback) each(*input.fallback, model::Origin{});
    if (const auto* task = std::get_if<model::Task>(&definition.body)) {
      for (const model::Action& action : task->actions)
        if (const auto* load = std::get_if<model::Load>(&action.what)) each(load->source, action.origin);
      continue;
    }
    const auto* group = std::get_if<model::Group>(&definition.body);
    if (group == nullptr) continue;
    for (const model::Step& step : group->steps) of_arguments(step.call.arguments);
    for (const auto& stage : group->stages)
      for (const model::Step& step : stage) of_arguments(step.call.arguments);
  }
}

// The record of a tagged run: from the catalog, or, where the run was removed, from the store.
Result<RunRecord> record_of_tag(const Parts& parts, std::string_view name) {
  // A slash stands in no tag's name: before it is a remote.
  if (const auto slash = name.find('/'); slash != std::string_view::npos) {
    if (parts.remote_tag) return parts.remote_tag(name.substr(0, slash), name.substr(slash + 1));
    return fail(ErrorKind::unsupported, fmt::format("there are no remotes to take the tag '{}' from", name));
  }
  KIST_TRY_ASSIGN(catalog::Tag tag, parts.catalog.tag(name));
  if (!tag.record) return parts.catalog.run(tag.run);
  return read_run_record(parts.store, *tag.record);
}

Result<model::UsedRun> pin(const Parts& parts, const std::string& project, const model::RunArtifacts& wanted) {
  RunRecord run;
  if (wanted.by == model::RunArtifacts::By::tag) {
    KIST_TRY_ASSIGN(run, record_of_tag(parts, wanted.name));
  } else {
    KIST_TRY_ASSIGN(std::string name, parts.catalog.newest_succeeded(project, wanted.name));
    KIST_TRY_ASSIGN(run, parts.catalog.run(name));
  }
  model::UsedRun used{.by = wanted.by, .name = wanted.name, .run = run.name, .artifacts = {}};
  for (const model::NodeRecord& node : run.nodes) {
    if (node.kind != model::NodeKind::task) continue;
    for (const model::ArtifactRecord& artifact : node.output_artifacts)
      used.artifacts.emplace_back(artifact).producer = model::Producer{run.name, node.names.name, artifact.name};
  }
  return used;
}

Result<std::vector<model::UsedRun>> pin_runs(const Parts& parts, const std::string& project,
                                             const model::Workflow& workflow) {
  std::vector<model::UsedRun> used;
  Status status;
  for_each_source(workflow, [&](const model::ArtifactSource& source, const model::Origin& origin) {
    const auto* wanted = std::get_if<model::RunArtifacts>(&source);
    if (wanted == nullptr || !status || find_used_run(used, *wanted) != nullptr) return;
    auto pinned = pin(parts, project, *wanted);
    if (pinned)
      used.push_back(std::move(*pinned));
    else
      status = origin.line > 0 ? with_context(to_string(origin), pinned.error()) : std::unexpected(pinned.error());
  });
  if (!status) return std::unexpected(status.error());
  return used;
}

// What --restore-from names: a run, or a tag with its colon. Errors: not_found, invalid (a task of it has nothing that
// could be restored).
Result<model::UsedRun> pin_restored(const Parts& parts, const std::string& name) {
  bool is_tag = name.starts_with(':');
  KIST_TRY_ASSIGN(RunRecord run, is_tag ? record_of_tag(parts, name.substr(1)) : parts.catalog.run(name));
  model::UsedRun used{.by = is_tag ? model::RunArtifacts::By::tag : model::RunArtifacts::By::workflow,
                      .name = is_tag ? name.substr(1) : name,
                      .run = run.name,
                      .artifacts = {},
                      .restored = true};
  for (const model::NodeRecord& node : run.nodes)
    if (node.kind == model::NodeKind::task)
      std::ranges::copy(node.output_artifacts, std::back_inserter(used.artifacts));
  return used;
}

// An owner that is gone is not asked to stop any more. What it was given leave for holds for the next one too.
Status forget_stops(catalog::Catalog& catalog, std::string_view run) {
  KIST_TRY_ASSIGN(const auto requests, catalog.requests(run));
  catalog::Changes changes;
  changes.run = run;
  for (const catalog::Request& request : requests)
    if (request.kind != catalog::Request::Kind::approve) changes.answered.push_back(request.number);
  return changes.answered.empty() ? Status() : catalog.apply({&changes, 1});
}

bool watches(const model::Workflow& workflow, const std::vector<model::ArtifactRecord>& artifacts) {
  for (const auto& [name, definition] : workflow.definitions)
    if (const auto* task = std::get_if<model::Task>(&definition.body))
      for (const model::Action& action : task->actions)
        if (const auto* watch = std::get_if<model::Watch>(&action.what))
          if (std::ranges::find(artifacts, watch->name, &model::ArtifactRecord::name) != artifacts.end()) return true;
  return false;
}

model::Notice notice_of(const model::UsedRun& used) {
  model::Notice notice;
  notice.level = model::Notice::Level::information;
  if (used.restored) {
    notice.text = fmt::format("beginning with the mounted artifacts of {}", used.run);
    return notice;
  }
  notice.text =
      used.by == model::RunArtifacts::By::tag
          ? fmt::format("using the artifacts of {} (tag {})", used.run, used.name)
          : fmt::format("using the artifacts of {} (the newest run of {} that succeeded)", used.run, used.name);
  return notice;
}

Result<std::optional<FileLock>> try_to_own(const catalog::Home& home, std::string_view run) {
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    KIST_TRY_ASSIGN(auto lock, FileLock::try_lock(owner_file(home, run), FileLock::Kind::exclusive));
    if (lock) return lock;
    std::this_thread::sleep_for(kLockAgain);
  }
  return std::nullopt;
}

Status make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail_errno(fmt::format("cannot create {}", path.string()), error.value());
  return {};
}

}  // namespace

Result<const model::Dialect*> find_dialect(const Dialects& dialects, std::string_view name) {
  auto found = std::ranges::find(dialects, name, &model::Dialect::name);
  if (found != dialects.end()) return *found;
  return fail(ErrorKind::not_found, fmt::format("this kist does not speak '{}'", name));
}

Result<std::string> Engine::submit(const model::RunRequest& request,
                                   const std::function<void(const model::Notice&)>& notice) {
  KIST_TRY_ASSIGN(const model::Dialect* dialect, find_dialect(parts_.dialects, request.dialect));
  KIST_TRY_ASSIGN(model::Lowered lowered, dialect->lower(request));
  KIST_TRY(check_quota(parts_.home));
  for (const model::Notice& warning : lowered.notices) notice(warning);
  std::optional<Turn> turn;
  if (lowered.workflow.recurrence) {
    KIST_TRY_ASSIGN(turn, take_turn(parts_, request.project, lowered.workflow));
    if (turn->why_not) {
      notice({.level = model::Notice::Level::information, .origin = {}, .text = std::move(*turn->why_not)});
      return std::string();
    }
  }
  // What is pinned stays, also where its run is removed before this one is written down.
  KIST_TRY_ASSIGN(auto hold, parts_.store.hold());
  KIST_TRY_ASSIGN(auto used_runs, pin_runs(parts_, request.project, lowered.workflow));
  if (request.restore_from) {
    KIST_TRY_ASSIGN(model::UsedRun restored, pin_restored(parts_, *request.restore_from));
    if (!watches(lowered.workflow, restored.artifacts))
      return fail(
          ErrorKind::invalid,
          fmt::format("nothing of '{}' can be restored: this workflow mounts no artifact that it has. Only "
                      "artifacts with `mount: true` begin with what an earlier run left; for others write `deps`",
                      *request.restore_from));
    used_runs.push_back(std::move(restored));
  }
  for (const model::UsedRun& used : used_runs) notice(notice_of(used));

  RunRecord run;
  run.id = make_uuid(parts_.random);
  run.workflow = lowered.workflow.name;
  run.dialect = request.dialect;
  run.project = request.project;
  run.user = user_name();
  run.created = parts_.clock();
  run.request = request;
  run.request.revision = revision_of(request.project);
  run.used_runs = std::move(used_runs);
  if (lowered.workflow.recurrence) run.history = lowered.workflow.recurrence->history;
  model::RunNaming naming = lowered.workflow.naming;
  if (request.name) naming = {.kind = model::RunNaming::Kind::given, .stem = *request.name};
  KIST_TRY_ASSIGN(std::string name, parts_.catalog.create_run(run, naming, parts_.random));
  if (turn) KIST_TRY(end_replaced(parts_, turn->replaced, notice));
  // A tag that was another run's names nothing kept until this run has ended.
  if (run.request.tag) KIST_TRY(refer_tags(parts_, std::span(&*run.request.tag, 1)));

  // What a removed run of this name may have left is not this one's.
  KIST_TRY(remove_tree(parts_.home.run(name)));
  KIST_TRY(make_directories(parts_.home.run(name)));
  std::lock_guard lock(mutex_);
  lowered_.insert_or_assign(name, std::move(lowered.workflow));
  return name;
}

Status Engine::retry(std::string_view name, const RetryRequest& again,
                     const std::function<void(const model::Notice&)>& notice) {
  KIST_TRY_ASSIGN(RunRecord run, parts_.catalog.run(name));  // before anything is made for a run that is not there
  KIST_TRY(make_directories(parts_.home.run(name)));
  KIST_TRY_ASSIGN(auto owner, try_to_own(parts_.home, name));
  if (!owner) return fail(ErrorKind::conflict, fmt::format("run '{}' is going on in another process", name));
  KIST_TRY_ASSIGN(auto hold, parts_.store.hold());
  KIST_TRY_ASSIGN(run, parts_.catalog.run(name));
  if (!model::is_final(run.state))
    return fail(ErrorKind::conflict,
                fmt::format("The run '{0}' has not ended: `kist resume {0}` goes on with it", name));
  if (model::is_success(run.state) && again.steps.empty())
    return fail(ErrorKind::conflict,
                fmt::format("The run '{}' has succeeded: name the steps that are to run again", name));
  KIST_TRY(check_quota(parts_.home));

  for (const auto& [parameter, value] : again.parameters) {
    auto same = std::ranges::find(run.request.parameters, parameter, [](const auto& pair) { return pair.first; });
    if (same == run.request.parameters.end())
      run.request.parameters.emplace_back(parameter, value);
    else
      same->second = value;
  }
  KIST_TRY_ASSIGN(const model::Dialect* dialect, find_dialect(parts_.dialects, run.dialect));
  KIST_TRY_ASSIGN(model::Lowered lowered, dialect->lower(run.request));
  for (const model::Notice& warning : lowered.notices) notice(warning);
  KIST_TRY(take_back(run, lowered.workflow, again.steps));

  // What its tasks wrote so far stays in their logs.
  const fs::path logs = parts_.home.run(name) / "logs";
  KIST_TRY(remove_tree(logs));
  if (run.logs) KIST_TRY(parts_.store.restore({run.logs->tree, run.logs->times}, "", logs));
  run.logs.reset();
  run.state = State::pending;
  run.message.clear();
  run.started = run.finished = run.expires = Time{};
  KIST_TRY(parts_.catalog.reopen(run));
  std::lock_guard lock(mutex_);
  lowered_.insert_or_assign(run.name, std::move(lowered.workflow));
  return {};
}

Result<State> Engine::own(std::string_view name, environment::Place& place, Observer& observer) {
  KIST_TRY_ASSIGN(RunRecord run, parts_.catalog.run(name));  // before anything is made for a run that is not there
  KIST_TRY(make_directories(parts_.home.run(name) / "logs"));
  KIST_TRY_ASSIGN(auto owner, try_to_own(parts_.home, name));
  if (!owner) return fail(ErrorKind::conflict, fmt::format("run '{}' is going on in another process", name));
  // Between what a task saves and what is written of it, only this keeps the artifacts of the run.
  KIST_TRY_ASSIGN(auto hold, parts_.store.hold());
  KIST_TRY_ASSIGN(run, parts_.catalog.run(name));  // another owner may have gone on until a moment ago
  if (model::is_final(run.state)) return run.state;
  if (run.state != State::pending) KIST_TRY(forget_stops(parts_.catalog, name));

  KIST_TRY_ASSIGN(const model::Dialect* dialect, find_dialect(parts_.dialects, run.dialect));
  model::Workflow workflow;
  {
    std::lock_guard lock(mutex_);
    if (auto known = lowered_.extract(run.name)) workflow = std::move(known.mapped());
  }
  if (workflow.definitions.empty()) {
    KIST_TRY_ASSIGN(model::Lowered lowered, dialect->lower(run.request));
    workflow = std::move(lowered.workflow);
  }

  Audience audience(observer);
  auto inbox = std::make_shared<Inbox>();
  Committer committer(parts_.catalog, run.name, audience,
                      [inbox](Error error) { inbox->post(Broken{std::move(error)}); });
  Scheduler scheduler(parts_, place, audience, committer, inbox, std::move(run), workflow, dialect->wording());
  KIST_TRY_ASSIGN(RunRecord ended, scheduler.run());
  KIST_TRY(committer.flush());
  collect_at_completion(parts_, ended, committer, [&](const std::string& text) {
    audience.tell([&](Observer& each) {
      model::Notice notice;
      notice.text = text;
      each.notice(notice);
    });
  });
  KIST_TRY(finish_run(parts_, ended, workflow, committer, scheduler.take_measured()));
  return ended.state;
}

bool is_owned(const catalog::Home& home, std::string_view run) {
  auto file = open_file(owner_file(home, run), O_RDONLY);
  return file && ::flock(file->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<RunRecord> current_record(const Parts& parts, std::string_view name) {
  KIST_TRY_ASSIGN(RunRecord run, parts.catalog.run(name));
  if (model::is_final(run.state) || is_owned(parts.home, name)) return run;
  // It may have ended between the two looks.
  KIST_TRY_ASSIGN(run, parts.catalog.run(name));
  if (model::is_final(run.state)) return run;
  run.state = State::interrupted;
  for (model::NodeRecord& node : run.nodes)
    if (!model::is_final(node.state)) node.state = State::interrupted;
  return run;
}

Status remove_run(const Parts& parts, std::string_view name, bool force,
                  const std::function<void(const std::string&)>& notice) {
  KIST_TRY_ASSIGN(catalog::RunSummary summary, parts.catalog.summary(name));
  std::optional<FileLock> owner;
  std::error_code error;
  if (fs::exists(parts.home.run(name), error)) {
    KIST_TRY_ASSIGN(owner, try_to_own(parts.home, name));
    if (!owner) return fail(ErrorKind::conflict, fmt::format("run '{}' is going on: stop it first", name));
  }
  KIST_TRY(collect_before_removal(parts, name, force, notice));
  KIST_TRY(remove_owned(parts, name, force, notice));
  // A run that was interrupted has no record yet, and its tags are to keep what it has made.
  if (!summary.record && !summary.tags.empty()) {
    KIST_TRY_ASSIGN(RunRecord run, current_record(parts, name));
    run.state = State::interrupted;
    KIST_TRY(keep_record(parts, run));
  }
  // The row goes last: until then nobody can have a new run of this name, and a removal that was cut short is repeated.
  KIST_TRY(remove_tree(task::run_volumes(parts.home.path(), name)));
  if (auto removed = parts.store.remove_reference(fmt::format("runs/{}", name));
      !removed && removed.error().kind != ErrorKind::not_found)
    return removed;
  KIST_TRY(remove_tree(parts.home.run(name)));
  return parts.catalog.remove_run(name);
}

}  // namespace kist::engine
