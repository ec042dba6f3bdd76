// How the manual's promises become fields of the model:
//
// * "The artifact directory exists before the commands, is empty, and hides the project's files of that path":
//   Task::fresh_directories. It also hides what a dep would bring there.
// * "Artifacts are saved at the end; not if the run was aborted": a Save for success, failure and a stop. That a failed
//   workflow keeps its artifacts was never specified by dstack (it did so locally and did not remotely); kist keeps
//   them, since a failed run's output is what one looks at.
// * `mount: true`: a Watch from before the commands on, kept whatever happens.
// * deps: all artifacts of a run at their own paths, later deps over earlier ones, as private copies.
#include "dialect/dstack/lower.hpp"

#include <algorithm>

#include "dialect/dstack/job.hpp"
#include "dialect/dstack/wording.hpp"

namespace kist::dialect::dstack {
namespace {

using model::Text;

constexpr model::When kAlways{.success = true, .failure = true, .stopped = true, .aborted = true};
constexpr model::When kUnlessAborted{.success = true, .failure = true, .stopped = true, .aborted = false};

const char* kRunName = "workflow.name";

std::vector<model::EnvironmentVariable> built_in_variables(std::string_view workflow) {
  Parts id;
  id.push_back(expression::refer(kRunName, "${{ run.name }}"));
  id.push_back({job_id("", workflow)});
  return {{.name = "RUN_NAME", .value = Text::of({expression::refer(kRunName, "${{ run.name }}")}), .of_run = true},
          {.name = "JOB_ID", .value = Text::of(std::move(id)), .of_run = true},
          {.name = "PYTHONUNBUFFERED", .value = Text::literal("1")},
          {.name = "HOSTNAME", .value = Text::literal("127.0.0.1")},
          {.name = "JOB_HOSTNAME", .value = Text::literal("127.0.0.1")}};
}

model::Container container_of(const Job& job, const Entry& entry, const model::RunRequest& request) {
  model::Container container;
  container.image = Text::of(job.image);
  container.environment = built_in_variables(entry.name);
  std::string directory = request.project;
  if (!job.working_directory.empty()) directory += "/" + job.working_directory;
  container.working_directory = Text::literal(std::move(directory));
  container.inherit_environment = true;
  for (const Variable& variable : job.environment) {
    if (!variable.value)
      container.inherited.push_back(variable.name);
    else if (!job.entrypoint.empty())  // no shell of ours will export it
      container.environment.push_back({variable.name, Text::of(*variable.value)});
  }
  return container;
}

// Bash without -i: dstack needed an interactive shell for `conda activate` only, and without a terminal it complains.
model::Run run_of(const Job& job) {
  model::Run run;
  if (job.entrypoint.empty()) {
    run.command = {Text::literal(job.provider == Job::Provider::docker ? "sh" : "bash"), Text::literal("-c")};
    run.command.push_back(Text::of(join_commands(job.environment, job.commands).value_or(Parts{})));
    return run;
  }
  for (const std::string& word : job.entrypoint) run.command.push_back(Text::literal(word));
  if (auto script = join_commands({}, job.commands)) run.command.push_back(Text::of(std::move(*script)));
  return run;
}

model::Task task_of(const Job& job, const Entry& entry, const model::RunRequest& request) {
  model::Task task;
  task.uses_project = true;
  task.containers.push_back(container_of(job, entry, request));
  auto add = [&](const std::string& title, model::When when, const model::Origin& origin, auto what) {
    task.actions.push_back({.title = title,
                            .container = task.containers.front().name,
                            .when = when,
                            .origin = origin,
                            .what = std::move(what)});
  };
  for (const Dep& dep : job.deps) {
    model::Load load;
    load.source = dep.run;
    load.path = Text::literal(".");
    add((dep.run.by == model::RunArtifacts::By::tag ? ":" : "") + dep.run.name, {}, dep.origin, std::move(load));
  }
  for (const Artifact& artifact : job.artifacts) {
    Text path = Text::literal(artifact.path.path);
    task.fresh_directories.push_back(path);
    if (artifact.mount)
      add(artifact.path.name, kAlways, artifact.origin, model::Watch{artifact.path.name, std::move(path)});
  }
  add("commands", {}, job.commands_origin, run_of(job));
  for (const Artifact& artifact : job.artifacts) {
    if (artifact.mount) continue;
    model::Save save;
    save.name = artifact.path.name;
    save.path = Text::literal(artifact.path.path);
    save.missing = model::Save::Missing::notice;
    add(artifact.path.name, kUnlessAborted, artifact.origin, std::move(save));
  }
  return task;
}

}  // namespace

Result<model::Lowered> lower(const Entry& entry, const Workflows& workflows, const model::RunRequest& request) {
  model::Notices notices;
  Job job = read_job(entry, request, notices);
  if (notices.has_errors()) return std::unexpected(notices.error());

  model::Definition definition;
  definition.name = entry.name;
  definition.body = task_of(job, entry, request);
  definition.origin = entry.origin;

  model::Lowered lowered;
  lowered.notices = workflows.problems();
  std::ranges::copy(notices.warnings(), std::back_inserter(lowered.notices));
  model::Workflow& workflow = lowered.workflow;
  workflow.name = entry.name;
  workflow.dialect = "dstack";
  workflow.naming.kind = model::RunNaming::Kind::counted;
  workflow.entry.definition = entry.name;
  workflow.definitions.emplace(entry.name, std::move(definition));
  return lowered;
}

}  // namespace kist::dialect::dstack
