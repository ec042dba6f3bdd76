// A task is performed in one thread: its directory in scratch, its layout, its root, then its actions in their order,
// then the end of all processes and of the root, and last the saves that waited for that.
//
// The task's phase decides which actions are performed: success until something fails; a stop and an abort come from
// outside. It only ever gets worse. How the task ended is told by what failed it first: a process (failed) or kist
// (error: an artifact missing, a path refused); what goes wrong afterwards is added to the problems and changes
// nothing.
#include <algorithm>
#include <exception>
#include <mutex>
#include <set>
#include <type_traits>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "task/containers.hpp"
#include "task/control.hpp"
#include "task/core_dump.hpp"
#include "task/inside.hpp"
#include "task/layout.hpp"
#include "task/loads.hpp"
#include "task/paths.hpp"
#include "task/processes.hpp"
#include "task/rooms.hpp"
#include "task/saves.hpp"
#include "task/task.hpp"
#include "task/watch.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestParameter = 1 << 20;
constexpr int kNotFound = 127;  // exit codes of a shell that cannot start a program
constexpr int kNotExecutable = 126;
constexpr std::size_t kMostSaid = 1000;

enum class Phase { success, failure, stopped, aborted };

bool is_wanted(const model::When& when, Phase phase) {
  switch (phase) {
    case Phase::success:
      return when.success;
    case Phase::failure:
      return when.failure;
    case Phase::stopped:
      return when.stopped;
    case Phase::aborted:
      return when.aborted;
  }
  return false;
}

// Whether this was not said for this run before. What was said of old runs is forgotten in the end.
bool is_first_time(const std::string& run, const std::string& text) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, std::string>> said;
  std::lock_guard lock(mutex);
  if (said.size() > kMostSaid) said.clear();
  return said.emplace(run, text).second;
}

// "10m0s", as it is written by those who wait.
std::string to_words(std::chrono::seconds duration) {
  auto count = duration.count();
  std::string words = fmt::format("{}s", count % 60);
  if (count >= 60) words = fmt::format("{}m{}", count / 60 % 60, words);
  if (count >= 3600) words = fmt::format("{}h{}", count / 3600, words);
  return words;
}

void trim_newline(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
}

class Performance final : public ControlHandler {
 public:
  Performance(const Document& document, const Tools& tools, TaskServices& services, StopSignal& stop)
      : document_(document), tools_(tools), services_(services), stop_(stop) {}

  Outcome run() {
    heed_stop();
    if (phase_ == Phase::success) {
      if (auto prepared = prepare(); prepared)
        perform_actions();
      else
        fail_kist(prepared.error().text);
      finish();
    }
    if (phase_ == Phase::stopped) outcome_.state = model::State::stopped;
    if (phase_ == Phase::aborted) outcome_.state = model::State::aborted;
    return std::move(outcome_);
  }

  Result<model::ArtifactRecord> publish(const std::string& name, const fs::path& path) override {
    return saves_->publish(name, path, *sandbox_);
  }
  void report(std::string_view text) override { services_.report(text); }

 private:
  // ---- the frame

  Status prepare() {
    KIST_TRY_ASSIGN(containers_, Containers::describe(document_, tools_));
    for (const std::string& image : containers_.unknown_images())
      if (is_first_time(document_.run, image))
        say(fmt::format("image {}: no container engine is used yet, running on this machine", image));
    KIST_TRY_ASSIGN(plan_, plan_layout(document_, containers_, tools_));
    KIST_TRY_ASSIGN(room_, keeps_nothing() ? tools_.rooms.take(plan_.layout) : tools_.rooms.make());
    KIST_TRY(place_watched(plan_, room_->directory()));
    control_.emplace(room_->listener(), *this);
    KIST_TRY(room_->open(tools_.rooms.launcher(), plan_.layout));
    sandbox_ = &room_->sandbox();
    processes_.emplace(*sandbox_, services_, stop_, *control_);
    saves_.emplace(document_, containers_, tools_, services_, room_->directory());
    return {};
  }

  // Nothing of the room is needed when the processes have ended, and nothing in it is held for this task alone.
  bool keeps_nothing() const {
    return plan_.views.empty() && std::ranges::none_of(document_.task.actions, [](const model::Action& action) {
             return std::holds_alternative<model::Save>(action.what) ||
                    std::holds_alternative<model::Watch>(action.what);
           });
  }

  void perform_actions() {
    const auto& actions = document_.task.actions;
    // Saves after the last action that changes something wait for the end of all processes.
    std::size_t settled_from = actions.size();
    while (settled_from > 0 && !std::holds_alternative<model::Run>(actions[settled_from - 1].what) &&
           !std::holds_alternative<model::Load>(actions[settled_from - 1].what))
      --settled_from;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      // When only saves are left the work is done: a graceful stop comes too late to change what becomes of it.
      if (i < settled_from || stop_.get() == Stop::abort) heed_stop();
      if (!is_wanted(actions[i].when, phase_)) continue;
      if (i >= settled_from && !std::holds_alternative<model::Watch>(actions[i].what)) settle();
      std::visit([&](const auto& what) { perform_one(i, what); }, actions[i].what);
    }
    if (!processes_->are_idle()) settle();
  }

  // Ends every process that is left.
  void settle() {
    if (std::exchange(settled_, true)) return;
    if (auto ended = processes_->end_all(); !ended) fail_kist(ended.error().text);
  }

  void finish() {
    control_.reset();  // a publish under way ends first
    watchers_.clear();
    if (saves_)
      for (const WatchedDirectory& watched : plan_.watched)
        if (watching_.contains(watched.action) && is_wanted(document_.task.actions[watched.action].when, phase_))
          saves_->collect_watched(watched.action, watched.source);
    bool is_gone = true;
    if (sandbox_ != nullptr && phase_ == Phase::success && keeps_nothing() && saves_->artifacts().empty()) {
      processes_.reset();
      tools_.rooms.give_back(std::move(room_));
      return;
    }
    if (sandbox_ != nullptr) {
      auto closed = sandbox_->close();
      is_gone = closed.has_value();
      if (!closed) fail_kist(closed.error().text);
    }
    if (!saves_) return;
    for (const std::string& problem : saves_->finish(is_gone)) fail_kist(problem);
    outcome_.artifacts = saves_->artifacts();
  }

  void heed_stop() {
    Stop how = stop_.get();
    if (how == Stop::abort)
      phase_ = Phase::aborted;
    else if (how == Stop::graceful)
      phase_ = std::max(phase_, Phase::stopped);
  }

  void fail_kist(std::string problem) {
    outcome_.problems.push_back(std::move(problem));
    if (phase_ != Phase::success) return;
    phase_ = Phase::failure;
    outcome_.state = model::State::error;
  }

  void fail_process(const model::ProcessEnd& end) {
    if (!outcome_.process) outcome_.process = end;
    if (phase_ != Phase::success) return;
    phase_ = Phase::failure;
    outcome_.state = model::State::failed;
  }

  void say(std::string_view text) { services_.log(Stream::kist, fmt::format("{}\n", text)); }

  // ---- the actions

  void perform_one(std::size_t index, const model::Load&) {
    LoadTools with{
        .document = document_, .containers = containers_, .plan = plan_, .tools = tools_, .sandbox = *sandbox_};
    if (auto loaded = perform_load(with, index); !loaded) fail_kist(describe(index, loaded.error().text));
  }

  void perform_one(std::size_t index, const model::Save&) {
    auto saved = settled_ ? saves_->collect(index, *sandbox_) : saves_->save_now(index, *sandbox_);
    if (!saved) fail_kist(saved.error().text);
  }

  void perform_one(std::size_t index, const model::Watch& watch) {
    auto watched = std::ranges::find(plan_.watched, index, &WatchedDirectory::action);
    std::optional<store::ArtifactId> begins_with;
    if (auto found = document_.restored.find(index); found != document_.restored.end()) {
      begins_with = store::ArtifactId{.tree = found->second.tree, .times = found->second.times};
      // Its files may be what took days to make: without them the task is not to begin.
      if (auto restored = tools_.store.restore(*begins_with, "", watched->source); !restored)
        return fail_kist(fmt::format("artifact '{}' cannot be restored: {}", watch.name, restored.error().text));
      if (auto saved = saves_->announce(found->second); !saved) return fail_kist(saved.error().text);
    }
    watching_.insert(index);
    watchers_.push_back(std::make_unique<Watcher>(
        tools_.store, Watcher::Options{.directory = watched->source,
                                       .name = watch.name,
                                       .path = watch.path.source(),
                                       .begins_with = begins_with,
                                       .announce = [this](const auto& record) { return saves_->announce(record); },
                                       .say = [this](std::string_view text) { say(text); }}));
  }

  void perform_one(std::size_t index, const model::Read& read) {
    auto value = read_parameter(document_.task.actions[index], read);
    if (!value) return fail_kist(fmt::format("parameter '{}': {}", read.parameter, value.error().text));
    outcome_.parameters.push_back({.name = read.parameter, .value = std::move(*value)});
  }

  Result<std::string> read_parameter(const model::Action& action, const model::Read& read) {
    fs::path path = containers_.path(action, read.path.source());
    auto found = sandbox_->find(path);
    if (!found && found.error().kind == ErrorKind::not_found && read.fallback) return read.fallback->source();
    if (!found && found.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::not_found, describe_missing(path, *sandbox_));
    if (!found) return std::unexpected(found.error());
    struct stat status{};
    if (::fstat(found->handle.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", path.string()));
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, fmt::format("{} is no file", path.string()));
    if (static_cast<std::uint64_t>(status.st_size) > kLargestParameter)
      return fail(ErrorKind::invalid, fmt::format("{} has {} bytes, and a parameter at most {}: keep it as an artifact",
                                                  path.string(), status.st_size, kLargestParameter));
    KIST_TRY_ASSIGN(std::string value, read_file(by_descriptor(found->handle), kLargestParameter));
    trim_newline(value);
    return value;
  }

  void perform_one(std::size_t, const model::HttpRequest&) { fail_kist("web requests are not supported yet"); }
  void perform_one(std::size_t, const model::ListRequest&) { fail_kist("listings are not supported yet"); }
  void perform_one(std::size_t, const model::ObjectRequest&) { fail_kist("objects are not supported yet"); }

  void perform_one(std::size_t index, const model::Run& run) {
    const model::Action& action = document_.task.actions[index];
    const ContainerHere& container = containers_.of(action);
    if (run.shown) say(action.title);
    auto command = make_command(index, run, container);
    if (!command) return fail_kist(describe(index, command.error().text));
    if (run.background) {
      auto started = start_in(container, [&] { return processes_->start_background(*command); });
      if (!started) fail_start(action, container, started.error());
      return;
    }
    std::string result;
    Processes::Options options{.no_output_timeout = run.no_output_timeout,
                               .result = document_.task.capture_result ? &result : nullptr};
    Time since = now();
    auto finished = start_in(container, [&] { return processes_->run(*command, options); });
    heed_stop();
    if (!finished) return fail_start(action, container, finished.error());
    if (document_.task.capture_result) {
      trim_newline(result);
      outcome_.result = std::move(result);
    }
    const sandbox::Ended& ended = finished->ended;
    outcome_.exit_code = ended.exit_code;
    if (finished->too_quiet) {
      std::string text = fmt::format("Too long with no output (exceeded {})", to_words(*run.no_output_timeout));
      say(text);
      outcome_.problems.push_back(std::move(text));
    }
    if (ended.exit_code == 0 && !finished->too_quiet) return;
    fail_process({.container = container.container->name,
                  .action = action.title,
                  .exit_code = ended.exit_code,
                  .signal = ended.signal});
    if (auto told = find_core_dumps(*sandbox_, command->working_directory, ended, since)) say(*told);
  }

  Result<sandbox::Command> make_command(std::size_t index, const model::Run& run, const ContainerHere& container) {
    ProcessEnvironment environment = environment_of(container, run);
    sandbox::Command command;
    bool has_arguments = !run.command.empty() || run.script;
    if (run.image_program) {
      if (container.image == nullptr)
        return fail(ErrorKind::unsupported,
                    fmt::format("the file gives no command, and what the image {} starts by itself is not known: write "
                                "`command`, or name it in .kist/images.yaml",
                                container.container->image.source()));
      command.arguments = has_arguments ? container.image->command : container.image->alone;
    }
    for (const auto& argument : run.command)
      command.arguments.push_back(run.expand_variables ? expand_variables(argument.source(), environment.written)
                                                       : argument.source());
    if (run.script) {
      fs::path path = script_path(run);
      if (plan_.script != index) KIST_TRY(put_file(*sandbox_, path, run.script->source(), 0755));
      command.arguments.push_back(path);
    }
    if (command.arguments.empty()) return fail(ErrorKind::invalid, "there is no command to start");
    command.environment = std::move(environment.variables);
    command.working_directory = container.working_directory;
    if (run.working_directory)
      command.working_directory =
          absolute_path(run.working_directory->source(), container.working_directory, containers_.host().home);
    return command;
  }

  // Starts a process. A container's working directory is made when the first process misses it.
  template <typename Start>
  std::invoke_result_t<Start> start_in(const ContainerHere& container, const Start& start) {
    auto started = start();
    if (started || started.error().kind != ErrorKind::invalid) return started;
    if (sandbox_->find(container.working_directory)) return started;
    if (!sandbox_->make_directories(container.working_directory)) return started;
    return start();
  }

  void fail_start(const model::Action& action, const ContainerHere& container, const Error& error) {
    std::string problem = fmt::format("container '{}': {}", container.container->name, error.text);
    if (error.kind != ErrorKind::not_found && error.kind != ErrorKind::denied) return fail_kist(std::move(problem));
    int exit_code = error.kind == ErrorKind::not_found ? kNotFound : kNotExecutable;
    say(problem);
    outcome_.problems.push_back(std::move(problem));
    outcome_.exit_code = exit_code;
    fail_process({.container = container.container->name, .action = action.title, .exit_code = exit_code});
  }

  // An action's problem, with its title where it has one.
  std::string describe(std::size_t index, std::string_view problem) const {
    const std::string& title = document_.task.actions[index].title;
    return title.empty() ? std::string(problem) : fmt::format("{}: {}", title, problem);
  }

  const Document& document_;
  const Tools& tools_;
  TaskServices& services_;
  StopSignal& stop_;
  Phase phase_ = Phase::success;
  Outcome outcome_;

  // In the order in which each is needed by those after it.
  Containers containers_;
  Plan plan_;
  std::unique_ptr<Room> room_;
  sandbox::Sandbox* sandbox_ = nullptr;  // the room's, once it is open
  std::optional<Saves> saves_;
  std::optional<ControlServer> control_;
  std::optional<Processes> processes_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::set<std::size_t> watching_;
  bool settled_ = false;
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
