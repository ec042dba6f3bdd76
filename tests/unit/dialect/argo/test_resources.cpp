// What a program is told of the resources that its container asks for.
#include <gmock/gmock.h>

#include "base/quantity.hpp"
#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

using testing::HasSubstr;

// "VALUE in UNIT", or "VALUE in thousandths of UNIT", of a variable X that has this resourceFieldRef.
std::string asked(const std::string& resources, const std::string& field) {
  const model::Lowered all = lowered(
      main_with("    inputs: {parameters: [{name: m, value: 1Gi}]}\n    container:\n      image: i\n      resources: " +
                resources + "\n      env: [{name: X, valueFrom: {resourceFieldRef: " + field +
                "}}]\n    sidecars: [{name: side, image: i, resources: {limits: {cpu: 3}}}]\n"));
  if (testing::Test::HasFailure()) return "";
  const model::EnvironmentVariable& variable = task(all, "main").containers.back().environment.back();
  EXPECT_EQ(variable.name, "X");
  if (!variable.in_units) return "nothing";
  return variable.value.source() + " in " + (variable.in_units->thousandths ? "thousandths of " : "") +
         variable.in_units->unit;
}

constexpr const char* kResources = "{limits: {cpu: 500m, memory: 64Mi}, requests: {memory: 32Mi, hugepages-2Mi: 4Mi}}";

TEST(ArgoResources, AreToldByKubernetesRules) {
  EXPECT_EQ(asked(kResources, "{resource: limits.cpu}"), "500m in thousandths of 1");
  EXPECT_EQ(asked(kResources, "{resource: limits.cpu, divisor: 1m}"), "500m in thousandths of 1m");
  EXPECT_EQ(asked(kResources, "{resource: limits.memory, divisor: 1Mi}"), "64Mi in 1Mi");
  EXPECT_EQ(asked(kResources, "{resource: limits.memory, divisor: 0}"), "64Mi in 1");
  EXPECT_EQ(asked(kResources, "{resource: requests.memory}"), "32Mi in 1");
  EXPECT_EQ(asked(kResources, "{resource: requests.hugepages-2Mi}"), "4Mi in 1");
  // A request that is not written is the limit; without one it is nothing.
  EXPECT_EQ(asked(kResources, "{resource: requests.cpu}"), "500m in thousandths of 1");
  EXPECT_EQ(asked(kResources, "{resource: requests.ephemeral-storage}"), "0 in 1");
  EXPECT_EQ(asked(kResources, "{resource: limits.cpu, containerName: side}"), "3 in thousandths of 1");
  EXPECT_EQ(asked("{limits: {memory: '{{inputs.parameters.m}}'}}", "{resource: limits.memory}"),
            "{{inputs.parameters.m}} in 1");
}

TEST(ArgoResources, ALimitThatIsNotSetIsTheMachine) {
  for (const char* resources : {"{}", "{limits: {cpu: 0, memory: '0', ephemeral-storage: 0}}"})
    for (const char* name : {"limits.cpu", "limits.memory", "limits.ephemeral-storage"}) {
      const std::string told = asked(resources, "{resource: " + std::string(name) + "}");
      const auto amount = Quantity::parse(told.substr(0, told.find(' ')));
      EXPECT_TRUE(amount && amount->whole() > 0) << told;
    }
  EXPECT_EQ(asked("{}", "{resource: limits.hugepages-2Mi}"), "0 in 1");
}

TEST(ArgoResources, OfAPatchTheyCountToo) {
  const model::Lowered all = lowered(main_with(
      R"(    podSpecPatch: '{"containers": [{"name": "main", "resources": {"limits": {"memory": "{{workflow.name}}"}}}]}'
    container:
      image: i
      resources: {limits: {memory: 1Mi}}
      env: [{name: X, valueFrom: {resourceFieldRef: {resource: limits.memory}}}]
)"));
  EXPECT_EQ(task(all, "main").containers.back().environment.back().value.source(), "{{workflow.name}}");
}

// Argo's lint says nothing of them: Kubernetes would not start the pod.
TEST(ArgoResources, WhatKubernetesWouldRefuseIsAnErrorOfARun) {
  const auto said = [](const std::string& field, const std::string& resources = "{}") {
    const model::RunRequest request =
        request_for(main_with("    container: {image: i, resources: " + resources +
                              ", env: [{name: X, valueFrom: {resourceFieldRef: " + field + "}}]}\n"));
    const auto looked_at = dialect().check(request);
    EXPECT_TRUE(looked_at);
    return refused(request).text;
  };
  EXPECT_THAT(said("{resource: abc}"), HasSubstr("w.yaml:8:"));
  EXPECT_THAT(
      said("{resource: abc}"),
      HasSubstr("templates.main.X.resourceFieldRef: 'abc' is no resource of a container: it must be cpu, memory"));
  EXPECT_THAT(said("{resource: limits.cpu, divisor: 1Mi}"), HasSubstr("the divisor of cpu must be 1m or 1, not '1Mi'"));
  EXPECT_THAT(said("{resource: limits.memory, divisor: 2Mi}"), HasSubstr("the divisor of memory must be one of 1, 1k"));
  EXPECT_THAT(said("{resource: limits.cpu, containerName: x}"), HasSubstr("there is no container 'x' in the pod"));
  EXPECT_THAT(said("{resource: limits.cpu}", "{limits: {cpu: much}}"), HasSubstr("limits.cpu: 'much' is no quantity"));
}

}  // namespace
}  // namespace kist::dialect::argo
