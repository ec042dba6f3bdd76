// One loop serves what runs side by side: it starts what may start, waits until a process has ended or something else
// is due (a retry, a look at a progress file), and takes the end in. A single Run is a group of one.
#include "task/runs.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>

#include <fmt/format.h>

#include "base/words.hpp"
#include "task/core_dump.hpp"
#include "task/durations.hpp"
#include "task/inside.hpp"
#include "task/out_of_memory.hpp"
#include "task/paths.hpp"
#include "task/progress.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

using model::State;

constexpr int kNotFound = 127;  // exit codes of a shell that cannot start a program
constexpr int kNotExecutable = 126;
constexpr int kSignalled = 128;
constexpr std::chrono::milliseconds kPatience(500);  // before it is looked whether the task was stopped
constexpr std::chrono::seconds kProgressPeriod(1);   // between two looks at a progress file
constexpr const char* kLocalAddress = "127.0.0.1";   // tasks share the host's network

}  // namespace

Runs::Runs(Tools tools) : tools_(std::move(tools)) {
  has_main_ = std::ranges::any_of(tools_.document.task.actions, [](const model::Action& action) {
    const auto* run = std::get_if<model::Run>(&action.what);
    return run != nullptr && run->is_main;
  });
}

void Runs::perform(const std::vector<std::size_t>& actions, Stop known) {
  known_ = known;
  std::vector<Member> members;
  for (std::size_t action : actions) {
    auto member = prepare(action);
    if (!member) return tools_.verdict.fail_kist(describe(action, member.error().text));
    members.push_back(std::move(*member));
  }
  if (members.size() == 1 && members.front().run->background)
    perform_background(members.front());
  else
    perform_members(members);
}

Result<Runs::Member> Runs::prepare(std::size_t index) const {
  const model::Action& action = tools_.document.task.actions[index];
  Member member;
  member.action = index;
  member.run = &std::get<model::Run>(action.what);
  member.end.title = action.title;
  member.end.container = tools_.containers.of(action).container->name;
  if (member.run->tries) {
    std::string text = member.run->tries->source();
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), member.tries_left);
    if (error != std::errc() || end != text.data() + text.size() || member.tries_left < 0)
      return fail(ErrorKind::invalid, fmt::format("'{}' is no number of tries", text));
    member.tries_left = std::max(member.tries_left - 1, 0);
  }
  if (member.run->retry_delay) {
    KIST_TRY_ASSIGN(member.delay, duration_of(*member.run->retry_delay, "the time between tries"));
  }
  return member;
}

// ---- in the background

void Runs::perform_background(Member& member) {
  const model::Run& run = *member.run;
  member.root = tools_.root(member.action);
  if (member.root == nullptr) return;
  if (run.shown) say(member.end.title);
  auto command = make_command(member.action, run, *member.root);
  if (!command) return tools_.verdict.fail_kist(describe(member.action, command.error().text));
  member.command = std::move(*command);
  if (is_stopping()) return tools_.verdict.heed(tools_.stop.get());
  auto started = start_in(member, [&] {
    return tools_.processes.start_background(member.root->sandbox(), member.command, options_of(member));
  });
  if (!started) return fail_start(member, started.error());
  if (run.end_counts) counting_.emplace(*started, member.action);
  if (!run.ready) return;
  auto ready = wait_until_ready(member, [&](Clock::time_point until) -> Result<bool> {
    KIST_TRY(tools_.processes.wait(until));
    return tools_.processes.has_ended(*started);
  });
  if (!ready)
    tools_.verdict.fail_task(
        fmt::format("container '{}' did not become ready: {}", member.end.container, ready.error().text));
}

void Runs::heed_background() {
  if (counting_.empty() || tools_.stop.get() != Stop::none) return;
  auto all = tools_.processes.take_ended();
  if (!all) return tools_.verdict.fail_kist(all.error().text);
  for (const auto& [process, ended] : *all) {
    const auto found = counting_.find(process);
    const bool was_sent_away = ended.exit_code == kSignalled + SIGKILL || ended.exit_code == kSignalled + SIGTERM;
    if (found == counting_.end() || ended.exit_code == 0 || was_sent_away) continue;
    const model::Action& action = tools_.document.task.actions[found->second];
    tools_.verdict.fail_process({.container = tools_.containers.of(action).container->name,
                                 .action = action.title,
                                 .exit_code = ended.exit_code,
                                 .signal = ended.signal});
  }
}

// `pause` waits until a moment, and says whether the process has ended.
Result<bool> Runs::wait_until_ready(const Member& member, const std::function<Result<bool>(Clock::time_point)>& pause) {
  const model::Probe& probe = *member.run->ready;
  sandbox::Command asking = member.command;
  asking.arguments.clear();
  for (const auto& argument : probe.command) asking.arguments.push_back(argument.source());
  Clock::time_point next = Clock::now() + probe.delay;
  for (int failed = 0;;) {
    while (Clock::now() < next) {
      KIST_TRY_ASSIGN(bool has_ended, pause(std::min(next, Clock::now() + kPatience)));
      if (is_stopping()) return false;
      if (has_ended) return fail(ErrorKind::unavailable, "it ended");
    }
    Status answer = ask_probe(probe, member.root->sandbox(), asking);
    if (answer) return true;
    if (++failed >= std::max(probe.failures, 1)) return std::unexpected(answer.error());
    next = Clock::now() + std::max(probe.period, std::chrono::seconds(1));
  }
}

// ---- in the foreground

void Runs::perform_members(std::vector<Member>& members) {
  auto is_ended = [](const Member& member) { return member.stage == Member::Stage::ended; };
  for (;;) {
    start_ready(members);
    if (std::ranges::all_of(members, is_ended)) break;
    auto ended = tools_.processes.wait(next_look(members));
    if (!ended) return tools_.verdict.fail_kist(ended.error().text);
    for (Member& member : members)
      if (member.stage == Member::Stage::running) look_at_progress(member);
    if (!*ended) continue;
    tools_.verdict.heed(tools_.stop.get());
    auto member = std::ranges::find_if(members, [&](const Member& one) {
      return one.stage == Member::Stage::running && one.process == (*ended)->first;
    });
    if (member == members.end()) continue;
    member->held_end = std::move((*ended)->second);
    const bool is_tried_again = member->tries_left > 0 && member->held_end->ended.exit_code != 0;
    if (is_tried_again || is_stopping() || !hold(*member, Hold::When::after)) release(*member);
  }
  tools_.verdict.heed(tools_.stop.get());
  for (Member& member : members) {
    member.end.message = tools_.services.hide(member.end.message);
    tools_.verdict.outcome.runs.push_back(std::move(member.end));
  }
}

void Runs::start_ready(std::vector<Member>& members) {
  using Stage = Member::Stage;
  const bool is_over = is_stopping();
  for (bool changed = true; changed;) {
    changed = false;
    for (Member& member : members) {
      if (member.stage == Stage::delayed && (is_over || Clock::now() >= member.next_start)) {
        if (is_over)
          member.stage = Stage::ended;
        else
          start(member);
      }
      if (member.stage == Stage::held && (is_over || member.hold->is_released())) {
        changed = true;
        release(member);
      }
      if (member.stage != Stage::waiting) continue;
      bool waits = false;
      bool is_lost = is_over;
      const auto& after = tools_.document.task.actions[member.action].after;
      for (const std::string& title : after.value_or(std::vector<std::string>())) {
        auto other = std::ranges::find(members, title, [](const Member& one) { return one.end.title; });
        if (other == members.end()) continue;
        waits = waits || other->stage != Stage::ended;
        is_lost = is_lost || (other->stage == Stage::ended && other->end.state != State::succeeded);
      }
      if (waits && !is_lost) continue;
      changed = true;
      if (is_lost)
        member.stage = Stage::ended;
      else
        start(member);
    }
  }
  // Those that wait for each other would wait for ever.
  bool is_stuck = std::ranges::none_of(members, [](const Member& member) {
    return member.stage != Member::Stage::waiting && member.stage != Member::Stage::ended;
  });
  if (!is_stuck) return;
  for (Member& member : members) {
    if (member.stage != Stage::waiting) continue;
    member.stage = Stage::ended;
    tools_.verdict.fail_kist(describe(member.action, "it waits for itself"));
  }
}

void Runs::start(Member& member) {
  const RunEnd before = member.end;
  member.stage = Member::Stage::ended;
  member.end.state = State::error;
  if (member.root == nullptr) {
    member.root = tools_.root(member.action);
    if (member.root == nullptr) {
      member.end.state = State::omitted;
      return;
    }
    if (member.run->shown) say(member.end.title);
    auto command = make_command(member.action, *member.run, *member.root);
    if (!command) {
      member.end.message = command.error().text;
      return tools_.verdict.fail_kist(describe(member.action, command.error().text));
    }
    member.command = std::move(*command);
  }
  if (!member.was_held && hold(member, Hold::When::before)) {
    member.end = before;
    return;
  }
  Processes::Options options = options_of(member);
  if (member.run->deadline) {
    auto deadline = duration_of(*member.run->deadline, "the deadline");
    if (!deadline) return tools_.verdict.fail_kist(describe(member.action, deadline.error().text));
    options.deadline = *deadline;
  }
  if (member.run->progress_file)
    (void)member.root->sandbox().make_directories(fs::path(member.run->progress_file->source()).parent_path());
  member.since = now();
  if (member.end.started == Time()) member.end.started = member.since;
  member.killed_before = count_killed_for_memory();
  auto started = start_in(member, [&]() -> Result<Processes::Id> {
    sandbox::Command command = member.command;
    const FileDescriptor starter = starter_of(member);
    if (is_stopping()) return fail(ErrorKind::unavailable, "the task was stopped");
    command.starter = starter.get();
    return tools_.processes.start(member.root->sandbox(), std::move(command), options);
  });
  if (!started && is_stopping()) {
    member.end = before;
    return;
  }
  if (!started) return fail_start(member, started.error());
  member.process = *started;
  member.stage = Member::Stage::running;
  if (tools_.document.task.daemon && (member.run->is_main || !has_main_)) stay_ready(member);
}

// A daemon's end is its failure, whatever it exits with, unless it was asked to end.
void Runs::stay_ready(Member& member) {
  if (member.run->ready) {
    std::optional<Finished> finished;
    auto ready = wait_until_ready(member, [&](Clock::time_point until) -> Result<bool> {
      KIST_TRY_ASSIGN(auto ended, tools_.processes.wait(until));
      if (ended && ended->first == member.process) finished = std::move(ended->second);
      return finished.has_value();
    });
    if (finished) return take_end(member, std::move(*finished));
    if (!ready) {
      tools_.verdict.fail_task(
          fmt::format("container '{}' did not become ready: {}", member.end.container, ready.error().text));
      (void)member.root->sandbox().signal_all(SIGKILL);
      return;
    }
    if (!*ready) return;
  }
  was_ready_ = true;
  tools_.services.ready(kLocalAddress);
}

bool Runs::hold(Member& member, Hold::When when) {
  if (!Hold::is_wanted(*member.run, when)) return false;
  auto held = Hold::begin(*member.run, when, member.root->sandbox());
  const std::string_view moment = when == Hold::When::before ? "before it begins" : "after it has ended";
  say(fmt::format("{}: {} {}: {}", member.end.title, held ? "held" : "cannot be held", moment,
                  held ? held->advice() : held.error().text));
  if (!held) return false;
  member.hold = std::move(*held);
  member.stage = Member::Stage::held;
  return true;
}

// Of one that is stopped before it began nothing is started.
void Runs::release(Member& member) {
  member.hold.reset();
  if (member.held_end) return take_end(member, *std::exchange(member.held_end, std::nullopt));
  member.stage = Member::Stage::ended;
  member.was_held = true;
  if (!is_stopping()) start(member);
}

void Runs::take_end(Member& member, Finished finished) {
  const model::Run& run = *member.run;
  const sandbox::Ended& ended = finished.ended;
  Verdict& verdict = tools_.verdict;
  const bool is_main = run.is_main || !has_main_;
  if (std::string label = label_of(action_of(member)); !label.empty()) tools_.services.flush_of(label);
  if (tools_.document.task.capture_result && is_main) {
    trim_newline(finished.output);
    verdict.outcome.result = tools_.services.hide(finished.output);
  }
  if (is_main) verdict.outcome.exit_code = ended.exit_code;
  member.stage = Member::Stage::ended;
  member.end.exit_code = ended.exit_code;
  member.end.finished = finished.finished;
  member.end.state = State::succeeded;
  member.end.message.clear();
  const bool is_asked = tools_.stop.get() != Stop::none;
  const bool is_daemon = tools_.document.task.daemon && is_main;
  const bool is_early = is_daemon && !is_asked;
  if (is_daemon && is_asked && was_ready_) return;
  if (ended.exit_code == 0 && !finished.too_quiet && !finished.overdue && !is_early) {
    // As the kernel does with a container: nothing of it outlives its last process.
    if (is_last_in_container(member.action)) (void)member.root->sandbox().quiesce();
    return;
  }

  member.end.state = run.error_code == ended.exit_code ? State::error : State::failed;
  model::ProcessEnd end{.container = member.end.container,
                        .action = member.end.title,
                        .exit_code = ended.exit_code,
                        .signal = ended.signal,
                        .out_of_memory = ended.signal == SIGKILL && count_killed_for_memory() > member.killed_before,
                        .overdue = finished.overdue};
  member.end.message = fmt::format("{} (exit code {})", end.out_of_memory ? "OOMKilled" : "Error", ended.exit_code);
  if (finished.overdue) member.end.message = "ended at its deadline";
  if (member.tries_left > 0 && !is_asked) {
    --member.tries_left;
    say(fmt::format("{}: {}; trying again", member.end.title, member.end.message));
    member.stage = Member::Stage::delayed;
    member.next_start = Clock::now() + member.delay;
    return;
  }
  if (finished.too_quiet) {
    const std::string text = fmt::format("Too long with no output (exceeded {})", to_words(*run.no_output_timeout));
    say(text);
    verdict.add_problem(text);
  }
  if (is_early) return verdict.fail_task(fmt::format("the daemon ended by itself (exit code {})", ended.exit_code));
  verdict.fail_process(end);
  if (auto told = find_core_dumps(member.root->sandbox(), member.command.working_directory, ended, member.since))
    say(*told);
  if (is_last_in_container(member.action)) (void)member.root->sandbox().quiesce();
}

void Runs::fail_start(Member& member, const Error& error) {
  std::string problem = fmt::format("container '{}': {}", member.end.container, error.text);
  member.end.message = error.text;
  if (error.kind != ErrorKind::not_found && error.kind != ErrorKind::denied) return tools_.verdict.fail_kist(problem);
  const int exit_code =
      member.run->error_code.value_or(error.kind == ErrorKind::not_found ? kNotFound : kNotExecutable);
  std::string image = tools_.containers.of(action_of(member)).container->image.source();
  if (!image.empty() && error.kind == ErrorKind::not_found)
    problem += fmt::format(
        " (the task runs on this machine, not in the image {}: install the program here, or name in "
        ".kist/images.yaml where it is)",
        image);
  say(problem);
  tools_.verdict.add_problem(problem);
  member.end.state = member.run->error_code ? State::error : State::failed;
  member.end.exit_code = exit_code;
  if (member.run->is_main || !has_main_) tools_.verdict.outcome.exit_code = exit_code;
  tools_.verdict.fail_process({.container = member.end.container, .action = member.end.title, .exit_code = exit_code});
}

// ---- details

void Runs::look_at_progress(Member& member) {
  if (!member.run->progress_file) return;
  auto told = read_progress(member.root->sandbox(), member.run->progress_file->source());
  if (!told || *told == member.progress) return;
  member.progress = std::move(*told);
  tools_.services.report(member.progress);
}

std::optional<Runs::Clock::time_point> Runs::next_look(const std::vector<Member>& members) const {
  std::optional<Clock::time_point> next;
  auto by = [&](Clock::time_point moment) { next = next ? std::min(*next, moment) : moment; };
  for (const Member& member : members) {
    if (member.stage == Member::Stage::held) by(Clock::now() + kPatience);
    if (member.stage == Member::Stage::delayed) by(std::min(member.next_start, Clock::now() + kPatience));
    if (member.stage == Member::Stage::running && member.run->progress_file) by(Clock::now() + kProgressPeriod);
  }
  return next;
}

FileDescriptor Runs::starter_of(const Member& member) const {
  const ContainerHere& container = tools_.containers.of(action_of(member));
  const model::Run& run = *member.run;
  // What a starter begins with everybody may see who may see kist's own processes.
  auto is_secret = [](const model::EnvironmentVariable& variable) { return variable.secret.has_value(); };
  if (tools_.starters == nullptr || !run.starter || run.terminal || !container.container->secret_environment.empty() ||
      std::ranges::any_of(container.container->environment, is_secret) ||
      std::ranges::any_of(run.environment, is_secret))
    return {};
  const auto program = program_outside(member.command, tools_.containers.host(), tools_.document.project);
  return program ? tools_.starters->connect(*run.starter, *program, member.command.environment, tools_.stop, known_)
                 : FileDescriptor();
}

Processes::Options Runs::options_of(Member& member) const {
  bool captures = tools_.document.task.capture_result && (member.run->is_main || !has_main_);
  return {.known = known_,
          .label = label_of(action_of(member)),
          .no_output_timeout = member.run->no_output_timeout,
          .deadline = {},
          .grace = member.run->grace,
          .keep_output = captures,
          .terminal = member.run->terminal};
}

bool Runs::is_last_in_container(std::size_t index) const {
  const auto& containers = tools_.containers;
  const auto& actions = tools_.document.task.actions;
  if (containers.all().size() == 1) return false;
  const ContainerHere& container = containers.of(actions[index]);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const auto* run = std::get_if<model::Run>(&actions[i].what);
    if (run == nullptr || i == index || &containers.of(actions[i]) != &container) continue;
    if (i > index || run->background) return false;
  }
  return true;
}

// The lines of the main container (the first one where no process is the main one) are the task's; of several
// containers the others' lines begin with their names.
std::string Runs::label_of(const model::Action& action) const {
  const ContainerHere& container = tools_.containers.of(action);
  const bool is_own =
      has_main_ ? std::get<model::Run>(action.what).is_main : &container == &tools_.containers.all().front();
  return tools_.containers.all().size() == 1 || is_own ? std::string() : container.container->name;
}

Result<sandbox::Command> Runs::make_command(std::size_t index, const model::Run& run, Root& root) const {
  const ContainerHere& container = tools_.containers.of(tools_.document.task.actions[index]);
  KIST_TRY_ASSIGN(ProcessEnvironment environment, environment_of(container, run, tools_.services));
  sandbox::Command command;
  bool has_arguments = !run.command.empty() || run.script;
  if (run.image_program) {
    if (container.image == nullptr)
      return fail(ErrorKind::unsupported,
                  fmt::format("the file gives no command, and what the image {} starts by itself is not known: write "
                              "`command`, or name it in .kist/images.yaml",
                              container.container->image.source()));
    const bool has_option = !run.command.empty() && run.command.front().source().starts_with('-');
    if (!has_arguments)
      command.arguments = container.image->alone;
    else if (has_option || !container.image->before_options)
      command.arguments = container.image->command;
  }
  for (const auto& argument : run.command)
    command.arguments.push_back(run.expand_variables ? expand_variables(argument.source(), environment.written)
                                                     : argument.source());
  if (run.script) {
    fs::path path = script_path(run);
    if (root.plan.script != index) KIST_TRY(put_file(root.sandbox(), path, run.script->source(), 0755));
    command.arguments.push_back(path);
  }
  if (command.arguments.empty()) return fail(ErrorKind::invalid, "there is no command to start");
  use_rich_shell(container, command.arguments);
  command.environment = std::move(environment.variables);
  command.working_directory = container.working_directory;
  if (run.working_directory)
    command.working_directory =
        absolute_path(run.working_directory->source(), container.working_directory, tools_.containers.host().home);
  return command;
}

template <typename Start>
std::invoke_result_t<Start> Runs::start_in(Member& member, const Start& start) const {
  const ContainerHere& container = tools_.containers.of(action_of(member));
  sandbox::Sandbox& sandbox = member.root->sandbox();
  auto started = start();
  if (started || started.error().kind != ErrorKind::invalid) return started;
  if (sandbox.find(container.working_directory)) return started;
  if (!sandbox.make_directories(container.working_directory)) return started;
  return start();
}

void Runs::say(std::string_view text) const {
  tools_.services.log(Stream::kist, fmt::format("{}\n", text));
}

// An action's problem, with its title where it has one.
std::string Runs::describe(std::size_t action, std::string_view problem) const {
  const std::string& title = tools_.document.task.actions[action].title;
  return title.empty() ? std::string(problem) : fmt::format("{}: {}", title, problem);
}

}  // namespace kist::task
