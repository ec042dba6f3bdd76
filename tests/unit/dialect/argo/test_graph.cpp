#include <gmock/gmock.h>

#include "dialect/argo/graph.hpp"
#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

using model::Dependency;

std::string print(const Dependency& dependency) {
  using enum Dependency::Operator;
  static constexpr const char* kTests[] = {"Succeeded", "Failed",   "Errored",      "Skipped",
                                           "Omitted",   "Daemoned", "AnySucceeded", "AllFailed"};
  if (dependency.op == always) return "always";
  if (dependency.op == is) return dependency.step + "." + kTests[static_cast<int>(dependency.test)];
  if (dependency.op == negate) return "!" + print(dependency.operands.at(0));
  std::string joined;
  for (const Dependency& operand : dependency.operands)
    joined += (joined.empty() ? "(" : dependency.op == all ? " && " : " || ") + print(operand);
  return joined + ")";
}

std::string depends(std::string_view text) {
  auto parsed = parse_depends(text, [](std::string_view name) { return is(name, Dependency::Test::succeeded); });
  return parsed ? print(*parsed) : parsed.error().text;
}

TEST(ArgoDepends, ReadsExpressionsByPrecedence) {
  EXPECT_EQ(depends("a"), "a.Succeeded");
  EXPECT_EQ(depends(" task-1.Failed "), "task-1.Failed");
  EXPECT_EQ(depends("a || b && !c.Omitted"), "(a.Succeeded || (b.Succeeded && !c.Omitted))");
  EXPECT_EQ(depends("(a || b.Errored)\n && !(c.Skipped||d.Daemoned)"),
            "((a.Succeeded || b.Errored) && !(c.Skipped || d.Daemoned))");
}

TEST(ArgoDepends, SaysWhatWasExpected) {
  EXPECT_EQ(depends(""), "expected a task's name, '!' or '(', not the end (character 1)");
  EXPECT_EQ(depends("a &&"), "expected a task's name, '!' or '(', not the end (character 5)");
  EXPECT_EQ(depends("(a"), "expected ')', not the end (character 3)");
  EXPECT_EQ(depends("a & b"), "expected '&&', '||' or the end, not '&' (character 3)");
  EXPECT_EQ(depends("a b"), "expected '&&', '||' or the end, not 'b' (character 3)");
  EXPECT_EQ(depends("a.Sucess"), "task result 'Sucess' for task 'a' is invalid");
  EXPECT_EQ(depends("1a"), "the name '1a' cannot begin with a digit here");
  EXPECT_EQ(depends("a.AnySucceeded"), "a.AnySucceeded");
  EXPECT_EQ(depends(std::string(5000, '(')), "it is nested too deeply");
  EXPECT_EQ(depends(std::string(5000, '!')), "it is nested too deeply");
}

constexpr std::string_view kLeaf = "  - {name: t, container: {image: a}}\n";

TEST(ArgoGraph, RewritesDependenciesAndCoversWhatIsTolerated) {
  const model::Lowered all = lowered(main_with(R"(    dag:
      failFast: false
      tasks:
      - {name: a, template: t}
      - {name: b, template: t, continueOn: {failed: true, error: true}}
      - {name: c, template: t, dependencies: [a, b]}
)" + std::string(kLeaf)));
  const model::Group& main = group(all, "main");
  EXPECT_FALSE(main.fail_fast);
  EXPECT_EQ(print(main.steps.at(0).depends), "always");
  EXPECT_EQ(print(main.steps.at(2).depends),
            "((a.Succeeded || a.Skipped || a.Daemoned) && "
            "(b.Succeeded || b.Skipped || b.Daemoned || b.Errored || b.Failed))");
  EXPECT_THAT(main.targets, testing::ElementsAre("c"));
}

TEST(ArgoGraph, TakesABareNameInDependsForADependency) {
  const model::Lowered all = lowered(main_with(R"(    dag:
      tasks:
      - {name: a, template: t}
      - {name: c, template: t, depends: a}
      - {name: d, template: t, depends: "c && a.Failed"}
)" + std::string(kLeaf)));
  const model::Group& main = group(all, "main");
  EXPECT_EQ(print(main.steps.at(2).depends), "((c.Succeeded || c.Skipped || c.Daemoned) && a.Failed)");
  EXPECT_THAT(main.targets, testing::ElementsAre("d"));
}

TEST(ArgoGraph, RunsOnlyWhatItsTargetsWaitFor) {
  const model::Lowered all = lowered(main_with(R"(    dag:
      target: "b  x"
      tasks:
      - {name: a, template: t}
      - {name: b, template: t, dependencies: [a]}
      - {name: c, template: t, dependencies: [b]}
      - {name: x, template: t}
      - {name: unused, template: later}
  - {name: later, plugin: {x: {}}}
)" + std::string(kLeaf)));
  std::vector<std::string> names;
  for (const model::Step& step : group(all, "main").steps) names.push_back(step.name);
  EXPECT_THAT(names, testing::ElementsAre("a", "b", "x"));
  EXPECT_THAT(group(all, "main").targets, testing::ElementsAre("b", "x"));
  // What only a task that never runs would meet does not stop the workflow.
  EXPECT_FALSE(all.workflow.definitions.contains("later"));
  EXPECT_THAT(texts(all.notices),
              testing::ElementsAre("w.yaml:16:19: warning: not supported yet: plugin (templates.later)"));
}

TEST(ArgoGraph, AllowsRecursionThroughSteps) {
  const model::Lowered all = lowered(main_with(R"(    steps:
    - - {name: flip, template: t}
    - - {name: again, template: main, when: "{{steps.flip.outputs.result}} == tails"}
)" + std::string(kLeaf)));
  EXPECT_EQ(group(all, "main").stages.at(1).at(0).call.definition, "main");
}

TEST(ArgoGraph, HoldsAVeryLongChain) {
  std::string tasks = "    dag:\n      tasks:\n      - {name: t0, template: t}\n";
  constexpr int kCount = 20'000;
  for (int index = 1; index < kCount; ++index)
    tasks += "      - {name: t" + std::to_string(index) + ", template: t, dependencies: [t" +
             std::to_string(index - 1) + "]}\n";
  EXPECT_EQ(group(lowered(main_with(tasks + std::string(kLeaf))), "main").steps.size(), std::size_t{kCount});
}

}  // namespace
}  // namespace kist::dialect::argo
