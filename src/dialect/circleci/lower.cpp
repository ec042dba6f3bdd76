#include "dialect/circleci/lower.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/circleci/graph.hpp"
#include "dialect/circleci/job.hpp"

namespace kist::dialect::circleci {
namespace {

constexpr std::size_t kMostActions = 50'000;  // a few lines of aliases can ask for billions

// The workflow that was asked for; without a name the only one, or the only one that waits for no trigger.
Result<WorkflowEntry> choose(const Config& config, const std::string& wanted) {
  std::vector<WorkflowEntry> entries = workflow_entries(config);
  std::vector<std::string> names;
  for (const WorkflowEntry& entry : entries) names.push_back(entry.name);
  if (!wanted.empty()) {
    auto found = std::ranges::find(entries, wanted, &WorkflowEntry::name);
    if (found != entries.end()) return *found;
    std::string text = fmt::format("{}: there is no workflow '{}'", config.file, wanted);
    if (!names.empty()) text += fmt::format("; there are: {}", fmt::join(names, ", "));
    return fail(ErrorKind::not_found, std::move(text));
  }
  if (entries.empty()) {
    const yaml::Node* jobs = config.jobs();
    const yaml::Node& there = jobs != nullptr ? *jobs : config.document;
    return fail(ErrorKind::invalid,
                fmt::format("{}: expected `workflows`, or a job named `{}` in `jobs`{}",
                            to_string(model::Origin{config.file, there.mark.line, there.mark.column}), kImplicitJob,
                            config.shown_jobs()));
  }
  if (entries.size() > 1)
    std::erase_if(entries, [](const WorkflowEntry& entry) {
      return entry.node != nullptr && entry.node->find("triggers") != nullptr;
    });
  if (entries.size() == 1) return entries.front();
  return fail(ErrorKind::invalid, fmt::format("{}: there are several workflows; say which one to run: {}", config.file,
                                              fmt::join(names, ", ")));
}

void add_job(model::Workflow& workflow, std::string name, model::Task task, model::Origin origin) {
  model::Definition definition;
  definition.name = name;
  definition.body = std::move(task);
  definition.origin = std::move(origin);
  workflow.definitions.emplace(std::move(name), std::move(definition));
}

void add_graph(model::Workflow& workflow, const WorkflowEntry& entry, const std::vector<JobEntry>& jobs) {
  model::Group group;
  group.kind = model::Group::Kind::graph;
  group.fail_fast = false;  // other branches go on
  for (const JobEntry& job : jobs) {
    model::Step step;
    step.name = job.name;
    step.call.definition = job.name;
    step.depends = job.depends;
    step.origin = job.origin;
    group.steps.push_back(std::move(step));
    group.targets.push_back(job.name);
  }
  model::Definition definition;
  definition.name = "workflow:" + entry.name;
  while (workflow.definitions.contains(definition.name))  // whatever the jobs are called
    definition.name = "workflow:" + definition.name;
  definition.body = std::move(group);
  definition.origin = entry.origin;
  workflow.entry.definition = definition.name;
  workflow.definitions.emplace(definition.name, std::move(definition));
}

}  // namespace

Result<model::Lowered> lower(const model::RunRequest& request) {
  KIST_TRY_ASSIGN(Config config, parse_config(request.files));
  KIST_TRY_ASSIGN(WorkflowEntry entry, choose(config, request.workflow));
  if (!request.arguments.empty())
    return fail(ErrorKind::invalid,
                fmt::format("unexpected '{}': a workflow of CircleCI takes no words; `-e NAME=VALUE` sets a variable",
                            request.arguments.front()));
  model::Notices notices;
  check_top_level(config, notices);
  Texts texts(config, notices);

  model::Lowered lowered;
  model::Workflow& workflow = lowered.workflow;
  workflow.name = entry.name;
  workflow.dialect = "circleci";
  workflow.naming.kind = model::RunNaming::Kind::counted;
  if (entry.node == nullptr) {
    JobUse use{.name = entry.name, .implicit = true};
    const yaml::Node& job = *config.jobs()->find(entry.name);
    add_job(workflow, entry.name, read_job(config, texts, job, use, request), entry.origin);
    workflow.entry.definition = entry.name;
  } else {
    std::vector<JobEntry> jobs = read_workflow(config, texts, *entry.node);
    int number = 0;
    std::size_t actions = 0;
    for (const JobEntry& job : jobs) {
      JobUse use{.name = job.name, .number = ++number};
      if (job.job == nullptr) continue;
      model::Task task = read_job(config, texts, *job.job, use, request);
      actions += task.actions.size();
      if (actions > kMostActions) {
        notices.fail(job.origin, fmt::format("the workflow has more than {} steps", kMostActions));
        break;
      }
      add_job(workflow, job.name, std::move(task), job.origin);
    }
    add_graph(workflow, entry, jobs);
  }
  if (notices.has_errors()) return std::unexpected(notices.error());
  lowered.notices = notices.warnings();
  return lowered;
}

}  // namespace kist::dialect::circleci
