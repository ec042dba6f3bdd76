// The graph is made in steps that each leave something usable, so that one mistake does not hide the next: names that
// are no tasks are reported and passed over; a cycle is reported once and cut open; then targets and what they wait for
// are marked. Everything walks with a stack of its own: a chain of tasks may be longer than a thread's stack is deep.
#include "dialect/argo/graph.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace kist::dialect::argo {
namespace {

using model::Dependency;

// What waiting for a task means where nothing more is said.
Dependency plain(const Template& dag, const Graph& graph, std::string_view name) {
  Dependency any = combine(Dependency::Operator::any);
  any.operands = {is(name, Dependency::Test::succeeded), is(name, Dependency::Test::skipped),
                  is(name, Dependency::Test::daemoned)};
  if (auto found = graph.index.find(name); found != graph.index.end()) {
    const StepSpec& task = dag.tasks[found->second];
    if (task.tolerate_error) any.operands.push_back(is(name, Dependency::Test::errored));
    if (task.tolerate_failed) any.operands.push_back(is(name, Dependency::Test::failed));
  }
  return any;
}

// A dag speaks of its order in one way: all of its tasks have `depends`, or all have `dependencies`.
void check_one_way(const Template& dag, Report& report) {
  const std::string where = where_of(dag);
  const bool uses_depends =
      std::ranges::any_of(dag.tasks, [](const StepSpec& task) { return task.depends.has_value(); });
  for (const StepSpec& task : dag.tasks) {
    const std::string& name = task.name.text;
    if ((uses_depends || task.has_dependencies) && !name.empty() && name.front() >= '0' && name.front() <= '9')
      report.error(task.name.mark, fmt::format("{}.tasks.{} name cannot begin with a digit when using either 'depends' "
                                               "or 'dependencies'",
                                               where, name));
    if (uses_depends && task.has_dependencies)
      report.error(task.dependencies.empty() ? task.mark : task.dependencies.front().mark,
                   where + " cannot use both 'depends' and 'dependencies' in the same DAG template");
    if (uses_depends && task.has_continue_on)
      report.error(task.mark, where +
                                  " cannot use 'continueOn' when using 'depends'. Instead use "
                                  "'dep-task.Failed'/'dep-task.Errored'");
  }
}

// One task's own dependency.
Dependency read_depends(const Template& dag, const Graph& graph, const StepSpec& task, const std::string& where,
                        Report& report) {
  if (task.depends) {
    auto parsed = parse_depends(task.depends->text, [&](std::string_view name) { return plain(dag, graph, name); });
    if (parsed) return std::move(*parsed);
    report.error(task.depends->mark,
                 fmt::format("{} invalid depends '{}': {}", where, task.depends->text, parsed.error().text));
    return {};
  }
  if (task.dependencies.empty()) return {};
  Dependency all = combine(Dependency::Operator::all);
  for (const Scalar& name : task.dependencies) all.operands.push_back(plain(dag, graph, name.text));
  return all;
}

// The tasks of one cycle, each waiting for the next; empty: there is none. Tasks that wait for nothing that is left are
// taken away until none is; whoever stays waits for a cycle.
std::vector<std::size_t> find_cycle(const Graph& graph) {
  const std::size_t count = graph.before.size();
  std::vector<std::size_t> open(count, 0);
  std::vector<std::vector<std::size_t>> after(count);
  std::vector<std::size_t> ready;
  for (std::size_t task = 0; task < count; ++task) {
    open[task] = graph.before[task].size();
    for (std::size_t other : graph.before[task]) after[other].push_back(task);
    if (open[task] == 0) ready.push_back(task);
  }
  while (!ready.empty()) {
    const std::size_t task = ready.back();
    ready.pop_back();
    for (std::size_t next : after[task])
      if (--open[next] == 0) ready.push_back(next);
  }
  const auto stuck = std::ranges::find_if(open, [](std::size_t left) { return left > 0; });
  if (stuck == open.end()) return {};
  std::vector<std::size_t> way{static_cast<std::size_t>(stuck - open.begin())};
  while (true) {
    const std::size_t next =
        *std::ranges::find_if(graph.before[way.back()], [&](std::size_t other) { return open[other] > 0; });
    if (auto seen = std::ranges::find(way, next); seen != way.end()) {
      way.erase(way.begin(), seen);
      return way;
    }
    way.push_back(next);
  }
}

// Reports one cycle and cuts it open, so that the rest can be looked at.
void cut_cycles(const Template& dag, Graph& graph, Report& report) {
  std::vector<std::size_t> cycle = find_cycle(graph);
  if (cycle.empty()) return;
  std::string way;
  for (std::size_t task : cycle) way += dag.tasks[task].name.text + "->";
  way += dag.tasks[cycle.front()].name.text;
  report.error(dag.tasks[cycle.front()].mark,
               fmt::format("{}.tasks dependency cycle detected: {}", where_of(dag), way));
  graph.broken = true;
  for (auto& before : graph.before) before.clear();
  for (auto& depends : graph.depends) depends = {};
}

void find_targets(const Template& dag, Graph& graph, Report& report) {
  if (dag.target && !dag.target->text.empty()) {
    if (has_late_target(dag)) return;
    std::string_view rest = dag.target->text;
    while (true) {
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
      if (rest.empty()) return;
      const std::string name(rest.substr(0, rest.find_first_of(" \t\n")));
      rest.remove_prefix(name.size());
      if (graph.index.contains(name))
        graph.targets.push_back(name);
      else
        report.error(dag.target->mark, fmt::format("{}.targets target '{}' is not defined", where_of(dag), name));
    }
  }
  std::vector<bool> named(dag.tasks.size(), false);
  for (const auto& before : graph.before)
    for (std::size_t task : before) named[task] = true;
  for (std::size_t task = 0; task < dag.tasks.size(); ++task)
    if (!named[task]) graph.targets.push_back(dag.tasks[task].name.text);
  std::ranges::sort(graph.targets);  // where several have failed, it matters which is the first
}

// Whether a dependency asks for the items of a task.
bool asks_for_items(const Dependency& depends, std::string_view name) {
  if (depends.op == Dependency::Operator::is)
    return depends.step == name &&
           (depends.test == Dependency::Test::any_succeeded || depends.test == Dependency::Test::all_failed);
  return std::ranges::any_of(depends.operands, [&](const Dependency& one) { return asks_for_items(one, name); });
}

// Marks what is reached from `open` backwards, without what is marked.
void mark_back(const Graph& graph, std::vector<std::size_t> open, std::vector<bool>& marked) {
  while (!open.empty()) {
    const std::size_t task = open.back();
    open.pop_back();
    if (marked[task]) continue;
    marked[task] = true;
    open.insert(open.end(), graph.before[task].begin(), graph.before[task].end());
  }
}

}  // namespace

bool has_late_target(const Template& dag) {
  return dag.target && dag.target->text.contains("{{");
}

bool Graph::waits_for(std::size_t task, std::size_t other) const {
  if (std::ranges::count(before[task], other) > 0) return true;
  std::vector<bool> marked(before.size(), false);
  mark_back(*this, before[task], marked);
  return marked[other];
}

Graph make_graph(const Template& dag, Report& report) {
  Graph graph;
  for (std::size_t task = 0; task < dag.tasks.size(); ++task) graph.index.emplace(dag.tasks[task].name.text, task);
  graph.before.resize(dag.tasks.size());
  graph.depends.resize(dag.tasks.size());
  check_one_way(dag, report);
  for (std::size_t task = 0; task < dag.tasks.size(); ++task) {
    const std::string where = fmt::format("{}.tasks.{}", where_of(dag), dag.tasks[task].name.text);
    graph.depends[task] = read_depends(dag, graph, dag.tasks[task], where, report);
    for (const std::string& name : model::steps_of(graph.depends[task])) {
      if (auto found = graph.index.find(name); found != graph.index.end()) {
        graph.before[task].push_back(found->second);
        if (dag.tasks[found->second].loops == 0 && asks_for_items(graph.depends[task], name))
          report.error(dag.tasks[task].mark, fmt::format("{} dependency '{}' uses an items-based condition such as "
                                                         ".AnySucceeded or .AllFailed but does not contain any items",
                                                         where, name));
        continue;
      }
      const StepSpec& written = dag.tasks[task];
      const auto item = std::ranges::find(written.dependencies, name, &Scalar::text);
      const yaml::Mark mark = item != written.dependencies.end() ? item->mark
                              : written.depends                  ? written.depends->mark
                                                                 : written.mark;
      report.error(mark, fmt::format("{} dependency '{}' not defined", where, name));
    }
  }
  cut_cycles(dag, graph, report);
  find_targets(dag, graph, report);
  graph.runs.resize(dag.tasks.size(), has_late_target(dag));
  std::vector<std::size_t> open;
  for (const std::string& target : graph.targets) open.push_back(graph.index.find(target)->second);
  mark_back(graph, std::move(open), graph.runs);
  return graph;
}

}  // namespace kist::dialect::argo
