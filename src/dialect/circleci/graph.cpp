#include "dialect/circleci/graph.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <ranges>

#include <fmt/format.h>

namespace kist::dialect::circleci {
namespace {

using model::Dependency;
using model::Field;

constexpr std::size_t kMostJobs = 10'000;

Dependency is(std::string step, Dependency::Test test) {
  return {.op = Dependency::Operator::is, .step = std::move(step), .test = test, .operands = {}};
}

Dependency combine(Dependency::Operator op, std::vector<Dependency> operands) {
  return {.op = op, .step = {}, .test = {}, .operands = std::move(operands)};
}

// A job that is required to end in one of some ways.
struct Requirement {
  std::string job;
  std::vector<std::string> statuses = {"success"};
  const yaml::Node* node = nullptr;
};

// A job as it is read, before names are given and looked up.
struct Entry {
  std::string job;
  std::optional<std::string> name;  // explicit
  std::vector<Requirement> requirements;
  const yaml::Node* node = nullptr;
  const yaml::Node* definition = nullptr;
};

class WorkflowReader {
 public:
  WorkflowReader(const Config& config, const Texts& texts) : config_(config), texts_(texts), reader_(texts.reader()) {}

  std::vector<JobEntry> read(const yaml::Node& workflow) {
    using enum Field::Kind;
    reader_.mapping(workflow, "a workflow",
                    {{.key = "jobs", .read = [this](const yaml::Node& node) { jobs(node); }},
                     {.key = "triggers", .kind = later, .remark = "it runs now, and only now"},
                     {.key = "when", .kind = refused, .remark = "whether the workflow runs"},
                     {.key = "unless", .kind = refused, .remark = "whether the workflow runs"},
                     {.key = "max_auto_reruns", .kind = later, .remark = "a failed workflow is not repeated"}});
    if (const yaml::Node* jobs = workflow.find("jobs"); workflow.is_mapping() && (jobs == nullptr || jobs->is_null()))
      reader_.fail(workflow, "the workflow has no `jobs`");
    std::vector<JobEntry> named = give_names();
    for (std::size_t i = 0; i < named.size(); ++i) named[i].depends = depends(entries_[i]);
    check_cycles(named);
    return named;
  }

 private:
  void jobs(const yaml::Node& node) {
    if (!node.is_sequence())
      return reader_.fail(node, fmt::format("jobs: expected a list of jobs, not {}", model::describe(node)));
    if (node.items.size() > kMostJobs)
      return reader_.fail(node, fmt::format("jobs: a workflow has at most {} jobs", kMostJobs));
    for (const yaml::Node& item : node.items) {
      if (item.is_mapping() && item.entries.size() == 1 && item.entries[0].first.is_scalar())
        job(item.entries[0].first, item.entries[0].second);
      else if (item.is_mapping())
        reader_.fail(item, "expected a job: one key; are the lines below it indented enough?");
      else
        job(item, {});
    }
  }

  void job(const yaml::Node& key, const yaml::Node& with) {
    auto name = texts_.text(key, "jobs", "a job's name");
    if (!name) return;
    Entry entry{.job = std::move(*name), .name = {}, .requirements = {}, .node = &key, .definition = nullptr};
    bool supported = true;
    using enum Field::Kind;
    if (!with.is_null())
      reader_.mapping(with, "a job of a workflow",
                      {{.key = "requires", .read = [&](const yaml::Node& node) { read_requirements(node, entry); }},
                       {.key = "name", .read = [&](const yaml::Node& node) { entry.name = texts_.text(node, "name"); }},
                       {.key = "type",
                        .read =
                            [&](const yaml::Node& node) {
                              auto type = texts_.text(node, "type");
                              if (!type || *type == "build") return;
                              supported = false;
                              reader_.refuse(node, fmt::format("type: {}", *type));
                            }},
                       {.key = "filters", .read = [&](const yaml::Node& node) { filters(node); }},
                       {.key = "context", .kind = later, .remark = "give its variables with -e"},
                       {.key = "serial-group", .kind = later},
                       {.key = "matrix", .kind = refused},
                       {.key = "pre-steps", .kind = refused},
                       {.key = "post-steps", .kind = refused},
                       {.key = "override-with", .kind = refused}},
                      [&](const yaml::Node& parameter, const yaml::Node&) {
                        reader_.refuse(parameter, "parameters", parameter.text);
                      });
    if (supported) find_definition(entry);
    entries_.push_back(std::move(entry));
  }

  void find_definition(Entry& entry) {
    const yaml::Node* jobs = config_.jobs();
    entry.definition = jobs != nullptr ? jobs->find(entry.job) : nullptr;
    if (entry.definition != nullptr) return;
    if (entry.job.find('/') != std::string::npos)
      return reader_.refuse(*entry.node, "orbs", fmt::format("the job {}", entry.job));
    if (config_.defines("job-groups", entry.job)) return reader_.refuse(*entry.node, "job-groups", entry.job);
    reader_.fail(*entry.node, fmt::format("there is no job '{}' in `jobs`{}", entry.job, config_.shown_jobs()));
  }

  // Filters of tags only do not keep a job from running for a branch, and that is what runs here.
  void filters(const yaml::Node& node) {
    if (node.is_mapping() && node.find("branches") == nullptr)
      reader_.mapping(node, "filters", {{.key = "tags", .kind = Field::Kind::accepted}});
    else
      reader_.refuse(node, "filters", "whether the job runs on this branch");
  }

  void read_requirements(const yaml::Node& node, Entry& entry) {
    if (!node.is_sequence())
      return reader_.fail(node, fmt::format("requires: expected a list of jobs, not {}", model::describe(node)));
    for (const yaml::Node& item : node.items) {
      if (item.is_mapping() && item.entries.size() == 1) {
        const auto& [key, value] = item.entries[0];
        Requirement requirement{.job = key.text, .statuses = {}, .node = &item};
        for (const yaml::Node& status : value.is_sequence() ? value.items : std::vector{value})
          if (auto word = texts_.text(status, "requires", "a status such as success or failed"))
            requirement.statuses.push_back(std::move(*word));
        entry.requirements.push_back(std::move(requirement));
      } else if (auto name = texts_.text(item, "requires", "a job's name")) {
        entry.requirements.push_back({.job = std::move(*name), .node = &item});
      }
    }
  }

  // A job that stands in the list several times without a name of its own is numbered: build-1, build-2.
  std::vector<JobEntry> give_names() {
    std::map<std::string, int> uses;
    for (const Entry& entry : entries_)
      if (!entry.name) ++uses[entry.job];
    std::map<std::string, int> numbers;
    std::vector<JobEntry> named;
    for (const Entry& entry : entries_) {
      std::string name = entry.name ? *entry.name : entry.job;
      if (!entry.name && uses[name] > 1) {
        int number = ++numbers[name];
        name += fmt::format("-{}", number);
      }
      if (!positions_.emplace(name, named.size()).second)
        reader_.fail(*entry.node,
                     fmt::format("two jobs of the workflow are named '{}'; give one another `name`", name));
      named.push_back(
          {.name = std::move(name), .job = entry.definition, .depends = {}, .origin = reader_.at(*entry.node)});
    }
    return named;
  }

  Dependency depends(const Entry& entry) {
    std::vector<Dependency> all;
    for (const Requirement& requirement : entry.requirements) {
      if (!positions_.contains(requirement.job)) {
        reader_.fail(*requirement.node,
                     fmt::format("requires: there is no job '{}' in this workflow", requirement.job));
        continue;
      }
      std::vector<Dependency> any;
      for (const std::string& status : requirement.statuses)
        if (auto dependency = ended(requirement, status)) any.push_back(std::move(*dependency));
      if (any.size() == 1)
        all.push_back(std::move(any.front()));
      else if (!any.empty())
        all.push_back(combine(Dependency::Operator::any, std::move(any)));
    }
    if (all.empty()) return {};
    return combine(Dependency::Operator::all, std::move(all));
  }

  std::optional<Dependency> ended(const Requirement& requirement, std::string_view status) {
    using Test = Dependency::Test;
    const std::string& job = requirement.job;
    if (status == "success") return is(job, Test::succeeded);
    if (status == "not_run") return is(job, Test::omitted);
    if (status == "failed") return combine(Dependency::Operator::any, {is(job, Test::failed), is(job, Test::errored)});
    if (status == "terminal")
      return combine(Dependency::Operator::any,
                     {is(job, Test::succeeded), combine(Dependency::Operator::negate, {is(job, Test::succeeded)})});
    reader_.refuse(*requirement.node, fmt::format("requires: {}", status));
    return std::nullopt;
  }

  // Jobs that wait for each other, found by following requirements with an explicit stack: a file may chain thousands.
  void check_cycles(const std::vector<JobEntry>& named) {
    enum class Mark { unseen, open, done };
    std::vector<Mark> marks(named.size(), Mark::unseen);
    for (std::size_t start = 0; start < named.size(); ++start) {
      if (marks[start] != Mark::unseen) continue;
      std::vector<std::pair<std::size_t, std::size_t>> path{{start, 0}};  // a job, and its next requirement
      marks[start] = Mark::open;
      while (!path.empty()) {
        auto& [at, next] = path.back();
        if (next == entries_[at].requirements.size()) {
          marks[at] = Mark::done;
          path.pop_back();
          continue;
        }
        auto found = positions_.find(entries_[at].requirements[next++].job);
        if (found == positions_.end() || marks[found->second] == Mark::done) continue;
        if (marks[found->second] == Mark::open) return tell_cycle(named, path, found->second);
        marks[found->second] = Mark::open;
        path.emplace_back(found->second, 0);
      }
    }
  }

  void tell_cycle(const std::vector<JobEntry>& named, const std::vector<std::pair<std::size_t, std::size_t>>& path,
                  std::size_t first) {
    std::string text = fmt::format("a cycle of jobs that wait for each other: {}", named[first].name);
    auto start = std::ranges::find(path, first, &std::pair<std::size_t, std::size_t>::first);
    for (auto at = start + 1; at != path.end(); ++at) text += fmt::format(" requires {}", named[at->first].name);
    text += fmt::format(" requires {}", named[first].name);
    reader_.fail(*entries_[first].node, std::move(text));
  }

  const Config& config_;
  const Texts& texts_;
  const model::Reader& reader_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> positions_;  // of the jobs, by name
};

}  // namespace

std::vector<JobEntry> read_workflow(const Config& config, const Texts& texts, const yaml::Node& workflow) {
  return WorkflowReader(config, texts).read(workflow);
}

}  // namespace kist::dialect::circleci
