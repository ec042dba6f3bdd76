// A task is performed in one thread: its actions in their order, each in the root of its container, then the end of all
// processes and of the roots, and last the saves that waited for that. What it has to say of itself is gathered in its
// verdict.
#include <exception>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/words.hpp"
#include "task/containers.hpp"
#include "task/inside.hpp"
#include "task/layout.hpp"
#include "task/loads.hpp"
#include "task/processes.hpp"
#include "task/requests.hpp"
#include "task/rooms.hpp"
#include "task/roots.hpp"
#include "task/runs.hpp"
#include "task/saves.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"
#include "task/transfers.hpp"
#include "task/verdict.hpp"
#include "task/volumes.hpp"
#include "task/watch.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestParameter = 1 << 20;
constexpr std::size_t kMostSaid = 1000;

// Whether this was not said for this run before. What was said of old runs is forgotten in the end.
bool is_first_time(const std::string& run, const std::string& text) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, std::string>> said;
  std::lock_guard lock(mutex);
  if (said.size() > kMostSaid) said.clear();
  return said.emplace(run, text).second;
}

// Which part of what lies outside is meant; empty: all.
std::string part_of(const model::ExternalArtifact& outside) {
  return outside.sub_path ? outside.sub_path->source() : "";
}

class Performance {
 public:
  Performance(const Document& document, const Tools& tools, TaskServices& services, StopSignal& stop)
      : document_(document),
        tools_(tools),
        services_(services, document.hidden),
        stop_(stop),
        verdict_(services_),
        directory_(tools.rooms),
        transfers_(tools, services_, stop, directory_),
        loads_(document.loads),
        volumes_(document, tools, directory_, services_),
        saves_(document, containers_, tools, services_, directory_),
        roots_(document, containers_, tools, loads_, volumes_, services_),
        processes_(services_, stop),
        runs_({.document = document,
               .containers = containers_,
               .processes = processes_,
               .services = services_,
               .stop = stop,
               .verdict = verdict_,
               .root = [this](std::size_t action) { return root_for(action); },
               .starters = tools.starters}) {}

  Outcome run() {
    verdict_.heed(stop_.get());
    if (verdict_.phase() == Phase::success) {
      if (auto prepared = prepare(); prepared)
        perform_actions();
      else
        verdict_.fail_kist(prepared.error().text);
      finish();
    }
    services_.flush();
    Outcome outcome = std::move(verdict_.outcome);
    if (verdict_.phase() == Phase::stopped) outcome.state = model::State::stopped;
    if (verdict_.phase() == Phase::stopped && runs_.was_ready()) outcome.state = model::State::succeeded;
    if (verdict_.phase() == Phase::aborted) outcome.state = model::State::aborted;
    return outcome;
  }

 private:
  // ---- the frame

  Status prepare() {
    if (document_.task.log_artifact) {
      KIST_TRY_ASSIGN(fs::path own, directory_.path());
      KIST_TRY(services_.begin_copy(own / "log"));
    }
    KIST_TRY_ASSIGN(containers_, Containers::describe(document_, tools_));
    for (const std::string& image : containers_.unknown_images())
      if (is_first_time(document_.run, image))
        say(fmt::format("image {}: no container engine is used yet, running on this machine", image));
    return {};
  }

  void perform_actions() {
    const auto& actions = document_.task.actions;
    // Saves after the last action that changes something wait for the end of all processes.
    std::size_t settled_from = actions.size();
    while (settled_from > 0 && !std::holds_alternative<model::Run>(actions[settled_from - 1].what) &&
           !std::holds_alternative<model::Load>(actions[settled_from - 1].what))
      --settled_from;
    std::set<std::size_t> performed;  // side by side with an earlier one
    for (std::size_t i = 0; i < actions.size(); ++i) {
      // When only saves are left the work is done: a graceful stop comes too late to change what becomes of it.
      known_ = stop_.get();
      if (i < settled_from || known_ == Stop::abort) verdict_.heed(known_);
      transfers_.go_on(known_);
      if (!verdict_.wants(actions[i].when) || performed.contains(i)) continue;
      if (i >= settled_from && !std::holds_alternative<model::Watch>(actions[i].what)) settle();
      if (std::holds_alternative<model::Run>(actions[i].what)) {
        std::vector<std::size_t> together{i};
        for (std::size_t j = i + 1; actions[i].after && j < actions.size(); ++j)
          if (actions[j].after && std::holds_alternative<model::Run>(actions[j].what)) together.push_back(j);
        performed.insert(together.begin(), together.end());
        place_shared_loads();
        runs_.perform(together, known_);
      } else {
        std::visit([&](const auto& what) { perform_one(i, what); }, actions[i].what);
      }
    }
    // Loads that nothing came after have to be possible all the same.
    while (!pending_.empty() && verdict_.phase() == Phase::success) (void)root_for(*pending_.begin());
    if (!processes_.are_idle()) settle();
  }

  // Ends every process that is left.
  void settle() {
    if (std::exchange(settled_, true)) return;
    runs_.heed_background();
    if (auto ended = processes_.end_all(); !ended) verdict_.fail_kist(ended.error().text);
  }

  void finish() {
    roots_.stop_serving();  // a publish under way ends first
    watchers_.clear();
    roots_.each([&](const Root& root) {
      for (const WatchedDirectory& watched : root.plan.watched)
        if (watching_.contains(watched.action) && verdict_.wants(document_.task.actions[watched.action].when))
          saves_.collect_watched(watched.action, watched.source);
    });
    if (verdict_.phase() == Phase::success && keeps_nothing(document_.task) && saves_.artifacts().empty())
      return roots_.give_back();
    auto closed = roots_.close();
    if (!closed) verdict_.fail_kist(closed.error().text);
    for (const std::string& problem : saves_.finish(closed.has_value())) verdict_.fail_kist(problem);
    verdict_.outcome.artifacts = saves_.artifacts();
    services_.flush();
    if (auto kept = keep_log(); !kept) verdict_.fail_kist(kept.error().text);
    send_artifacts();
  }

  // The log of the main container as one more artifact.
  Status keep_log() {
    const auto& wanted = document_.task.log_artifact;
    if (!wanted || verdict_.phase() == Phase::aborted) return {};
    KIST_TRY_ASSIGN(fs::path file, services_.end_copy());
    auto kept = [&]() -> Result<model::ArtifactRecord> {
      KIST_TRY_ASSIGN(log_kept_, tools_.store.begin());
      KIST_TRY_ASSIGN(store::Saved saved, log_kept_->save(file, {.adopt = true}));
      KIST_TRY(log_kept_->commit());
      return model::ArtifactRecord{.name = wanted->name,
                                   .path = "",
                                   .tree = saved.id.tree,
                                   .times = saved.id.times,
                                   .bytes = saved.bytes,
                                   .files = saved.files,
                                   .archive = {}};
    }();
    if (!kept) return with_context(fmt::format("artifact '{}'", wanted->name), kept.error());
    verdict_.outcome.artifacts.push_back(std::move(*kept));
    return {};
  }

  // Where the file says that they are to lie outside too. What is sent is durable here already.
  void send_artifacts() {
    auto send = [&](const std::string& name, const std::optional<model::Location>& to) {
      if (!to || is_repository_key(*to) || verdict_.phase() == Phase::aborted) return;
      auto artifact = std::ranges::find(verdict_.outcome.artifacts, name, &model::ArtifactRecord::name);
      if (artifact == verdict_.outcome.artifacts.end()) return;
      if (auto sent = transfers_.send(*artifact, *to); !sent) verdict_.fail_kist(sent.error().text);
    };
    for (const model::Action& action : document_.task.actions)
      if (const auto* save = std::get_if<model::Save>(&action.what)) send(save->name, save->to);
    if (const auto& log = document_.task.log_artifact) send(log->name, log->to);
  }

  void say(std::string_view text) { services_.log(Stream::kist, fmt::format("{}\n", text)); }

  // ---- roots

  // The root of an action's container, its loads so far in place; nullptr: it cannot be had, or nothing more is to be
  // done in it, and the verdict says why.
  Root* root_for(std::size_t action) {
    const ContainerHere& container = containers_.of(document_.task.actions[action]);
    auto belongs = [&](std::size_t load) { return &containers_.of(document_.task.actions[load]) == &container; };
    const bool is_new = roots_.find(container) == nullptr;
    auto root = roots_.open(container, processes_, saves_);
    if (!root) {
      std::erase_if(pending_, belongs);
      verdict_.fail_kist(root.error().text);
      return nullptr;
    }
    if (is_new) {
      std::set<std::size_t> loads;
      std::ranges::copy_if(pending_, std::inserter(loads, loads.end()), belongs);
      std::erase_if(pending_, belongs);
      const Phase before = verdict_.phase();
      for (std::size_t load : loads) place(load, **root);
      if (verdict_.phase() != before && !verdict_.wants(document_.task.actions[action].when)) return nullptr;
    }
    return *root;
  }

  // For what looks at a container afterwards: where nothing came to be there because something failed before, there is
  // nothing to look at.
  Root* root_to_look_at(std::size_t action) {
    if (verdict_.phase() == Phase::success) return root_for(action);
    return roots_.find(containers_.of(document_.task.actions[action]));
  }

  // Before a process starts: what other containers were given on volumes it may want to see.
  void place_shared_loads() {
    for (bool found = true; found;) {
      found = false;
      for (std::size_t action : pending_) {
        const model::Action& load = document_.task.actions[action];
        if (!roots_.is_on_volume(containers_.of(load),
                                 containers_.path(load, std::get<model::Load>(load.what).path.source())))
          continue;
        (void)root_for(action);
        found = true;
        break;
      }
    }
  }

  void place(std::size_t index, Root& root) {
    LoadTools with{.document = document_,
                   .loads = loads_,
                   .containers = containers_,
                   .plan = root.plan,
                   .tools = tools_,
                   .sandbox = root.sandbox()};
    if (auto loaded = perform_load(with, index); !loaded) verdict_.fail_kist(describe(index, loaded.error().text));
  }

  // ---- the actions

  void perform_one(std::size_t index, const model::Load& load) {
    if (auto fetched = fetch(index, load); !fetched) return fail_unless_asked(fetched.error().text);
    if (Root* root = roots_.find(containers_.of(document_.task.actions[index])))
      place(index, *root);
    else
      pending_.insert(index);
  }

  // What lies outside comes into the store first, and then to its place like every other artifact.
  Status fetch(std::size_t index, const model::Load& load) {
    auto found = loads_.find(index);
    if (found == loads_.end() || !found->second.external) return {};
    ResolvedLoad& resolved = found->second;
    const model::Action& action = document_.task.actions[index];
    auto artifact = transfers_.fetch(*resolved.external, action.title, load.path.source());
    if (!artifact && load.optional && artifact.error().kind == ErrorKind::not_found) {
      resolved.absent = true;
      return {};
    }
    if (!artifact) return std::unexpected(artifact.error());
    resolved.trees.push_back({.prefix = "", .artifact = std::move(*artifact), .sub_path = part_of(*resolved.external)});
    return {};
  }

  void perform_one(std::size_t index, const model::Save&) {
    Root* root = root_to_look_at(index);
    if (root == nullptr) return;
    auto saved = settled_ ? saves_.collect(index, root->sandbox()) : saves_.save_now(index, root->sandbox());
    if (!saved) verdict_.fail_kist(saved.error().text);
  }

  void perform_one(std::size_t index, const model::Watch& watch) {
    Root* root = root_for(index);
    if (root == nullptr) return;
    auto watched = std::ranges::find(root->plan.watched, index, &WatchedDirectory::action);
    std::optional<store::ArtifactId> begins_with;
    if (auto found = document_.restored.find(index); found != document_.restored.end()) {
      begins_with = store::ArtifactId{.tree = found->second.tree, .times = found->second.times};
      // Its files may be what took days to make: without them the task is not to begin.
      if (auto restored = tools_.store.restore(*begins_with, "", watched->source); !restored)
        return verdict_.fail_kist(
            fmt::format("artifact '{}' cannot be restored: {}", watch.name, restored.error().text));
      if (auto saved = saves_.announce(found->second); !saved) return verdict_.fail_kist(saved.error().text);
    }
    watching_.insert(index);
    watchers_.push_back(std::make_unique<Watcher>(
        tools_.store, Watcher::Options{.directory = watched->source,
                                       .name = watch.name,
                                       .path = watch.path.source(),
                                       .begins_with = begins_with,
                                       .announce = [this](const auto& record) { return saves_.announce(record); },
                                       .say = [this](std::string_view text) { say(text); }}));
  }

  void perform_one(std::size_t index, const model::Read& read) {
    if (read.path.source().empty() && read.fallback)
      return verdict_.outcome.parameters.push_back({.name = read.parameter, .value = read.fallback->source()});
    Root* root = root_to_look_at(index);
    if (root == nullptr) return;
    auto value = read_parameter(document_.task.actions[index], read, root->sandbox());
    if (!value) return verdict_.fail_kist(fmt::format("parameter '{}': {}", read.parameter, value.error().text));
    put_out({.name = read.parameter, .value = std::move(*value)});
  }

  // A parameter with a secret in it is one itself.
  void put_out(model::ParameterRecord parameter) {
    std::vector<std::string> secrets = services_.secrets_in(parameter.value);
    parameter.secret = !secrets.empty();
    std::ranges::move(secrets, std::back_inserter(verdict_.outcome.secrets));
    verdict_.outcome.parameters.push_back(std::move(parameter));
  }

  Result<std::string> read_parameter(const model::Action& action, const model::Read& read, sandbox::Sandbox& sandbox) {
    fs::path path = containers_.path(action, read.path.source());
    auto found = find_output(containers_.of(action), path, sandbox);
    if (!found && found.error().kind == ErrorKind::not_found && read.fallback) return read.fallback->source();
    if (!found && found.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::not_found, describe_missing(path, sandbox));
    if (!found) return std::unexpected(found.error());
    struct stat status{};
    if (::fstat(found->handle.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", path.string()));
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, fmt::format("{} is no file", path.string()));
    if (static_cast<std::uint64_t>(status.st_size) > kLargestParameter)
      return fail(ErrorKind::invalid, fmt::format("{} has {} bytes, and a parameter at most {}: keep it as an artifact",
                                                  path.string(), status.st_size, kLargestParameter));
    const fs::path outside = by_descriptor(found->handle);
    auto value = read_file(outside, kLargestParameter);
    if (!value) return std::unexpected(told_inside(value.error(), outside, path));
    trim_newline(*value);
    return value;
  }

  void perform_one(std::size_t, const model::Run&) {}  // by perform_actions()
  void perform_one(std::size_t index, const model::HttpRequest& request) {
    take(index, ask(request, transfers_, services_));
  }
  void perform_one(std::size_t index, const model::ListRequest& request) {
    take(index, list(request, transfers_, services_));
  }
  void perform_one(std::size_t index, const model::ObjectRequest& request) {
    if (!request.manifest_from) return take(index, act(request, services_, stop_));
    model::ObjectRequest complete = request;
    auto manifest = text_of_input(index);
    if (!manifest) return fail_unless_asked(describe(index, manifest.error().text));
    complete.manifest = model::Text::literal(std::move(*manifest));
    take(index, act(complete, services_, stop_));
  }

  // The text of the one file that an input brings.
  Result<std::string> text_of_input(std::size_t index) {
    const auto found = loads_.find(index);
    if (found == loads_.end() || found->second.absent) return fail(ErrorKind::invalid, "its manifest was not supplied");
    ResolvedLoad& input = found->second;
    if (input.raw) return *input.raw;
    if (input.external) {
      KIST_TRY_ASSIGN(auto fetched, transfers_.fetch(*input.external, document_.task.actions[index].title, ""));
      input.trees.push_back({.prefix = "", .artifact = std::move(fetched), .sub_path = part_of(*input.external)});
    }
    if (input.trees.size() != 1) return fail(ErrorKind::invalid, "its manifest is to be one file");
    KIST_TRY_ASSIGN(const fs::path own, directory_.path());
    const fs::path file = own / fmt::format("input-{}", index);
    const auto& tree = input.trees.front();
    KIST_TRY_ASSIGN(const store::Entry top, find_top(tools_.store, tree));
    if (top.type != store::EntryType::file) return fail(ErrorKind::invalid, "its manifest is to be one file");
    KIST_TRY(tools_.store.restore({.tree = tree.artifact.tree, .times = tree.artifact.times}, top.path, file));
    return read_file(file, kLargestParameter);
  }

  void take(std::size_t index, Result<Answer> answer) {
    verdict_.heed(stop_.get());
    if (!answer) return fail_unless_asked(describe(index, answer.error().text));
    verdict_.outcome.result = std::move(answer->result);
    for (auto& parameter : answer->parameters) put_out(std::move(parameter));
    if (answer->failure) verdict_.fail_task(*answer->failure);
  }

  // What was broken off since the task is asked to end is no problem of its own.
  void fail_unless_asked(const std::string& problem) {
    verdict_.heed(stop_.get());
    if (stop_.get() == known_) verdict_.fail_kist(problem);
  }

  // An action's problem, with its title where it has one.
  std::string describe(std::size_t index, std::string_view problem) const {
    const std::string& title = document_.task.actions[index].title;
    return title.empty() ? std::string(problem) : fmt::format("{}: {}", title, problem);
  }

  const Document& document_;
  const Tools& tools_;
  MaskedServices services_;
  StopSignal& stop_;
  Verdict verdict_;

  // In the order in which each is needed by those after it.
  TaskDirectory directory_;
  Transfers transfers_;
  Containers containers_;
  std::map<std::size_t, ResolvedLoad> loads_;
  Volumes volumes_;
  Saves saves_;
  Roots roots_;  // what is published is saved by their threads
  Processes processes_;
  Runs runs_;
  std::set<std::size_t> pending_;  // loads whose turn has come before there was a root to place them in
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::set<std::size_t> watching_;
  bool settled_ = false;
  Stop known_ = Stop::none;                       // what the task had been asked when its present action began
  std::unique_ptr<store::Transaction> log_kept_;  // holds the log's artifact until the engine knows it
};

}  // namespace

Outcome perform(const Document& document, const Tools& tools, TaskServices& services, StopSignal& stop) {
  try {
    return Performance(document, tools, services, stop).run();
  } catch (const std::exception& error) {
    Outcome outcome;
    outcome.state = model::State::error;
    outcome.problems.push_back(fmt::format("kist failed while it performed the task: {}", error.what()));
    return outcome;
  }
}

}  // namespace kist::task
