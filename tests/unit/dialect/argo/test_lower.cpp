#include <gmock/gmock.h>

#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

using model::Archive;
using testing::ElementsAre;

// As Onepanel's page on artifacts has it: no kind, a dag, one task's output given to the next.
constexpr std::string_view kPassing = R"(entrypoint: artifact-example
templates:
  - name: artifact-example
    dag:
      tasks:
        - name: generate-artifact
          template: whalesay
        - name: consume-artifact
          dependencies: [generate-artifact]
          template: print-message
          arguments:
            artifacts:
            - name: message
              from: "{{tasks.generate-artifact.outputs.artifacts.hello-art}}"
  - name: whalesay
    container:
      image: docker/whalesay:latest
      command: [sh, -c]
      args: ["sleep 1; cowsay hello world | tee /tmp/hello_world.txt"]
    outputs:
      artifacts:
      - name: hello-art
        path: /tmp/hello_world.txt
  - name: print-message
    inputs:
      artifacts:
      - name: message
        path: /tmp/message/
    container:
      image: alpine:latest
      command: [sh, -c]
      args: ["cat /tmp/message"]
)";

TEST(ArgoLower, PassesAnArtifactInABareSpec) {
  const model::Lowered all = lowered(std::string(kPassing));
  EXPECT_TRUE(all.notices.empty());
  EXPECT_EQ(all.workflow.naming.kind, model::RunNaming::Kind::random);
  EXPECT_EQ(all.workflow.naming.stem, "w-");
  EXPECT_EQ(all.workflow.entry.definition, "artifact-example");

  const model::Group& entry = group(all, "artifact-example");
  ASSERT_EQ(entry.steps.size(), 2U);
  EXPECT_THAT(entry.targets, ElementsAre("consume-artifact"));
  EXPECT_THAT(model::steps_of(entry.steps[1].depends), ElementsAre("generate-artifact"));
  const auto& [name, source] = entry.steps[1].call.arguments.artifacts.at(0);
  EXPECT_EQ(name, "message");
  EXPECT_EQ(std::get<model::ArtifactReference>(source).name.source(),
            "tasks.generate-artifact.outputs.artifacts.hello-art");

  const model::Save save = actions<model::Save>(task(all, "whalesay")).at(0);
  EXPECT_EQ(save.path.source(), "/tmp/hello_world.txt");
  EXPECT_EQ(save.missing, model::Save::Missing::fail);
  EXPECT_EQ(save.archive.kind, Archive::Kind::none);

  const model::Load load = actions<model::Load>(task(all, "print-message")).at(0);
  EXPECT_EQ(std::get<model::ArtifactReference>(load.source).name.source(), "inputs.artifacts.message");
  EXPECT_EQ(load.path.source(), "/tmp/message");
  EXPECT_EQ(all.workflow.definitions.at("print-message").artifacts.at(0).path, "/tmp/message");
}

TEST(ArgoLower, ReadsOnepanelsFormAndItsStoredSpec) {
  constexpr std::string_view kForm = R"(entrypoint: main
arguments:
  parameters:
  - {name: epochs, value: 3, type: input.number, displayName: Epochs, hint: how often, required: true, visibility: public}
  - name: optimizer
    type: select.select
    value: adam
    options: [{name: Adam, value: adam}]
templates:
- name: main
  container: {image: a, command: [echo, "{{workflow.parameters.epochs}}"]}
)";
  model::Lowered bare = lowered(std::string(kForm));
  EXPECT_TRUE(bare.notices.empty());
  EXPECT_EQ(bare.workflow.parameters.at(0).second.source(), "3");

  std::string stored =
      "metadata: {name: My Training, kind: Workflow, version: 20200605090509, action: create}\nspec:\n";
  std::string lines(kForm);
  for (std::size_t at = 0; at != std::string::npos && at < lines.size(); at = lines.find('\n', at + 1))
    lines.insert(at == 0 ? 0 : at + 1, "  ");
  EXPECT_EQ(lowered(stored + lines).workflow.definitions.size(), 1U);
}

TEST(ArgoLower, ArchivesAsTheFileSaysAndAsItsSystemDoes) {
  constexpr std::string_view kOutputs = R"(entrypoint: main
templates:
- name: main
  container: {image: a, command: [x]}
  outputs:
    artifacts:
    - {name: silent, path: /a}
    - {name: none, path: /b, archive: {none: {}}}
    - {name: tar, path: /c, archive: {tar: {}}}
    - {name: fast, path: /d, archive: {tar: {compressionLevel: 0}}}
    - {name: zip, path: /e, archive: {zip: {}}}
)";
  auto kinds = [](const model::Lowered& all) {
    std::vector<Archive::Kind> found;
    for (const model::Save& save : actions<model::Save>(task(all, "main")))
      if (save.name != "sys-metrics") found.push_back(save.archive.kind);  // Onepanel's own
    return found;
  };
  using enum Archive::Kind;
  const model::Lowered bare = lowered(std::string(kOutputs));
  EXPECT_THAT(kinds(bare), ElementsAre(none, none, tar, tar, zip));
  EXPECT_EQ(actions<model::Save>(task(bare, "main")).at(3).archive.compression_level, 0);

  std::string argo = "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{\"name\":\"x\"},";
  argo += R"("spec":{"entrypoint":"main","templates":[{"name":"main","container":{"image":"a"},)";
  argo +=
      R"("outputs":{"artifacts":[{"name":"silent","path":"/a"},{"name":"b","path":"/b","archive":{"none":{}}}]}}]}})";
  EXPECT_THAT(kinds(lowered(argo)), ElementsAre(tar, none));
}

TEST(ArgoLower, CollectsOutputsHoweverTheTaskEnded) {
  const model::Lowered all = lowered(main_with(R"(    container: {image: a, command: [x]}
    outputs:
      parameters: [{name: p, valueFrom: {path: /tmp/p, default: none}}]
      artifacts: [{name: a, path: /tmp/a, optional: true}]
)"));
  const model::Task& main = task(all, "main");
  ASSERT_EQ(main.actions.size(), 3U);
  EXPECT_FALSE(main.actions[0].when.failure);
  for (std::size_t index : {1U, 2U}) {
    const model::When& when = main.actions[index].when;
    EXPECT_TRUE(when.success && when.failure && when.stopped && !when.aborted);
  }
  EXPECT_EQ(actions<model::Read>(main).at(0).fallback->source(), "none");
  EXPECT_EQ(actions<model::Save>(main).at(0).missing, model::Save::Missing::ignore);
}

TEST(ArgoLower, GivesRawBytesWithAModeInYamlsOldOctal) {
  const model::Lowered all = lowered(main_with(R"(    container: {image: a, command: [x]}
    inputs:
      artifacts:
      - {name: tool, path: /bin/tool, mode: 0755, recurseMode: true, raw: {data: "hi {{workflow.name}}"}}
      - {name: decimal, path: /b, mode: 493, optional: true}
)"));
  const auto loads = actions<model::Load>(task(all, "main"));
  EXPECT_EQ(loads.at(0).mode, 0755U);
  EXPECT_TRUE(loads.at(0).recurse_mode);
  EXPECT_EQ(loads.at(1).mode, 0755U);
  EXPECT_TRUE(loads.at(1).optional);
  const model::InputArtifact& input = all.workflow.definitions.at("main").artifacts.at(0);
  EXPECT_EQ(std::get<model::RawArtifact>(*input.fallback).data.source(), "hi {{workflow.name}}");
}

TEST(ArgoLower, TakesValuesAsGoPrintsThem) {
  const model::Lowered all = lowered(workflow_with(R"(  entrypoint: main
  arguments:
    parameters:
    - {name: number, value: 3.10}
    - {name: big, value: 1e6}
    - {name: octal, value: 0755}
    - {name: yes, value: yes}
    - {name: text, value: "3.10"}
    - {name: block, value: "a\nb"}
  templates:
  - name: main
    container: {image: a}
)"));
  std::vector<std::string> values;
  for (const auto& [name, value] : all.workflow.parameters) values.push_back(value.source());
  EXPECT_THAT(values, ElementsAre("3.1", "1000000", "493", "true", "3.10", "a\nb"));
}

TEST(ArgoLower, ParametersGivenWithTheRunComeFirst) {
  model::RunRequest request = request_for(workflow_with(R"(  entrypoint: main
  arguments:
    parameters: [{name: who, value: me, enum: [me, you]}, {name: other, value: x}]
  templates:
  - name: main
    inputs: {parameters: [{name: who, default: nobody, enum: [me, you]}, {name: more, value: v, default: d}]}
    container: {image: a, command: [echo, "{{inputs.parameters.who}}"]}
)"));
  request.parameters = {{"who", "you"}, {"other", "{{not.a.reference}}"}};
  const model::Lowered all = lowered(request);
  ASSERT_EQ(all.workflow.entry.arguments.parameters.size(), 1U);
  EXPECT_EQ(all.workflow.entry.arguments.parameters[0].second.source(), "you");
  EXPECT_TRUE(all.workflow.parameters.at(1).second.is_literal());
  const auto& inputs = all.workflow.definitions.at("main").parameters;
  EXPECT_EQ(inputs.at(0).fallback->source(), "nobody");
  EXPECT_THAT(inputs.at(0).allowed, ElementsAre("me", "you"));
  EXPECT_EQ(inputs.at(1).fallback->source(), "v");

  // What the files speak of and leave to be given.
  request.parameters = {{"more", "w"}};
  const auto given = lowered(request).workflow.entry.arguments.parameters;
  ASSERT_EQ(given.size(), 2U);
  EXPECT_EQ(given[1].second.source(), "w");

  request.parameters = {{"hwo", "you"}};
  EXPECT_EQ(refused(request).text, "w.yaml: there is no parameter 'hwo'; there is who, other");
  request.parameters = {{"who", "they"}};
  EXPECT_EQ(refused(request).text,
            "w.yaml:7:18: spec.arguments.who.value should be present in spec.arguments.who.enum list");
}

// What a file speaks of may be given without being declared; the beginning of a name is none.
TEST(ArgoLower, GivesWhatAFileSpeaksOf) {
  model::RunRequest request =
      request_for(main_with("    container: {image: a, args: [\"{{workflow.parameters.word-two}}\"]}\n"));
  request.parameters = {{"word-two", "w"}};
  EXPECT_EQ(lowered(request).workflow.parameters.at(0).first, "word-two");
  request.parameters = {{"word", "w"}};
  EXPECT_THAT(refused(request).text, testing::HasSubstr("there is no parameter 'word'"));
}

TEST(ArgoLower, OrdersTheBucketsOfAHistogram) {
  const model::Lowered all = lowered(main_with(R"(    metrics:
      prometheus: [{name: h, help: h, histogram: {value: "1", buckets: [2.5, 10, .5, 2.5, +Inf]}}]
    container: {image: a, command: [x]}
)"));
  EXPECT_THAT(all.workflow.definitions.at(all.workflow.entry.definition).metrics.at(0).buckets,
              ElementsAre(0.5, 2.5, 10));
}

TEST(ArgoLower, FillsPathsBeforeAnythingRunsAndLeavesVariables) {
  const model::Lowered all = lowered(main_with(R"yaml(    inputs:
      parameters: [{name: dir, value: /work}]
      artifacts: [{name: in, path: "{{inputs.parameters.dir}}/in", raw: {data: x}}]
    outputs:
      artifacts: [{name: out, path: /tmp/out}]
    container:
      image: a
      command: [cp, "{{ inputs.artifacts.in.path }}", "{{outputs.artifacts.out.path}}", $(OUT)]
      env:
      - {name: OUT, value: "{{outputs.artifacts.out.path}}/$(ARGO_WORKFLOW_NAME)"}
)yaml"));
  const model::Run run = actions<model::Run>(task(all, "main")).at(0);
  EXPECT_THAT(sources(run.command), ElementsAre("cp", "{{inputs.parameters.dir}}/in", "/tmp/out", "$(OUT)"));
  EXPECT_TRUE(run.expand_variables);
  const std::vector<model::EnvironmentVariable>& variables = task(all, "main").containers.at(0).environment;
  EXPECT_EQ(variables.at(1).name, "ARGO_WORKFLOW_NAME");
  EXPECT_EQ(variables.at(1).value.source(), "{{workflow.name}}");
  EXPECT_EQ(variables.back().value.source(), "/tmp/out/$(ARGO_WORKFLOW_NAME)");
}

TEST(ArgoLower, WritesASourceUntouched) {
  const model::Lowered all = lowered(main_with(R"(    script:
      image: python:3.10
      command: [python, -u]
      args: [-v]
      workingDir: /work
      source: |
        print("$(HOME) $$ {{workflow.name}} {{user}}")
)"));
  const model::Run run = actions<model::Run>(task(all, "main")).at(0);
  EXPECT_EQ(run.script->source(), "print(\"$(HOME) $$ {{workflow.name}} {{user}}\")\n");
  EXPECT_EQ(run.script_path, "/argo/staging/script");
  EXPECT_THAT(sources(run.command), ElementsAre("python", "-u", "-v"));
  EXPECT_FALSE(run.image_program);
  EXPECT_EQ(task(all, "main").containers.at(0).working_directory.source(), "/work");
}

// What Hera prints for a runner script, and what its runner then expects: its own arguments, then the path of a file
// that holds the parameters as JSON; inputs and outputs at Hera's paths.
TEST(ArgoLower, MeetsTheProtocolOfHerasRunner) {
  const model::Lowered all = lowered(main_with(R"(    inputs:
      parameters:
      - name: width
        value: '4'
      - name: height
        default: '3'
      artifacts:
      - name: summary
        path: /tmp/hera-inputs/artifacts/summary
        optional: true
    outputs:
      artifacts:
      - name: details
        path: /tmp/hera-outputs/artifacts/details
    script:
      image: my-image:v1
      source: '{{inputs.parameters}}'
      args:
      - -m
      - hera.workflows.runner
      - -e
      - runner:measure
      command:
      - python
      env:
      - name: hera__outputs_directory
        value: /tmp/hera-outputs
)"));
  const model::Task& main = task(all, "main");
  const model::Run run = actions<model::Run>(main).at(0);
  EXPECT_THAT(sources(run.command), ElementsAre("python", "-m", "hera.workflows.runner", "-e", "runner:measure"));
  EXPECT_EQ(run.script_path, "/argo/staging/script");
  EXPECT_THAT(expression::references(*run.script), ElementsAre("inputs.parameters"));
  EXPECT_EQ(actions<model::Load>(main).at(0).path.source(), "/tmp/hera-inputs/artifacts/summary");
  EXPECT_EQ(actions<model::Save>(main).at(0).path.source(), "/tmp/hera-outputs/artifacts/details");
  EXPECT_EQ(main.containers.at(0).environment.back().name, "hera__outputs_directory");
  EXPECT_EQ(main.containers.at(0).environment.back().value.source(), "/tmp/hera-outputs");
}

TEST(ArgoLower, LeavesTheProgramToTheImageWhereNoneIsNamed) {
  const model::Run run =
      actions<model::Run>(task(lowered(main_with("    container: {image: a, args: [echo, hi]}\n")), "main")).at(0);
  EXPECT_TRUE(run.image_program);
  EXPECT_THAT(sources(run.command), ElementsAre("echo", "hi"));
}

TEST(ArgoLower, KeepsResultsThatSomebodyAsksFor) {
  const model::Lowered all = lowered(main_with(R"(    steps:
    - - {name: asked, template: asked}
      - {name: silent, template: silent}
    - - name: use
        template: silent
        when: "{{steps.asked.outputs.result}} == heads"
        continueOn: {failed: true}
  - name: asked
    script: {image: a, command: [sh], source: x}
  - name: silent
    container: {image: a}
)"));
  EXPECT_TRUE(task(all, "asked").capture_result);
  EXPECT_FALSE(task(all, "silent").capture_result);
  const model::Group& main = group(all, "main");
  ASSERT_EQ(main.stages.size(), 2U);
  EXPECT_EQ(main.stages[0].size(), 2U);
  EXPECT_TRUE(main.stages[1][0].tolerate_failed);
  EXPECT_FALSE(main.stages[1][0].tolerate_error);
  EXPECT_EQ(main.stages[1][0].condition->source(), "{{steps.asked.outputs.result}} == heads");
}

TEST(ArgoLower, HandsOutputsOfGroupsOn) {
  const model::Lowered all = lowered(main_with(R"(    steps:
    - - {name: a, template: inner}
    outputs:
      parameters: [{name: p, valueFrom: {parameter: "{{steps.a.outputs.parameters.p}}", default: none}}]
      artifacts: [{name: x, from: "{{ steps.a.outputs.artifacts.x }}", optional: true}]
  - name: inner
    inputs: {artifacts: [{name: i, optional: true}]}
    dag: {tasks: [{name: t, template: leaf, arguments: {artifacts: [{name: i, from: "{{inputs.artifacts.i}}"}]}}]}
    outputs:
      parameters: [{name: p, valueFrom: {parameter: "{{tasks.t.outputs.parameters.p}}"}}]
      artifacts: [{name: x, from: "{{tasks.t.outputs.artifacts.x}}"}]
  - name: leaf
    inputs: {artifacts: [{name: i, path: /i, optional: true}]}
    container: {image: a}
    outputs:
      parameters: [{name: p, valueFrom: {path: /p}}]
      artifacts: [{name: x, path: /x}]
)"));
  const model::Group& main = group(all, "main");
  EXPECT_EQ(main.parameters.at(0).value.source(), "{{steps.a.outputs.parameters.p}}");
  EXPECT_EQ(main.parameters.at(0).fallback->source(), "none");
  EXPECT_EQ(std::get<model::ArtifactReference>(main.artifacts.at(0).from).name.source(), "steps.a.outputs.artifacts.x");
  EXPECT_TRUE(main.artifacts.at(0).optional);
  EXPECT_EQ(std::get<model::ArtifactReference>(group(all, "inner").artifacts.at(0).from).name.source(),
            "tasks.t.outputs.artifacts.x");
  EXPECT_EQ(all.workflow.definitions.at("inner").artifacts.at(0).path, "");
}

TEST(ArgoLower, ExitHooksOfStepsAskTheirExpressionsThatOfTheWorkflowDoesNot) {
  const model::Lowered all = lowered(workflow_with(R"(  entrypoint: main
  hooks:
    exit: {expression: workflow.status == "Failed", template: leaf}
  templates:
  - name: main
    steps:
    - - name: a
        template: leaf
        hooks:
          exit: {expression: 'steps["a"].status == "Failed"', template: leaf}
          running: {expression: 'steps["a"].status == "Running"', template: leaf}
      - name: b
        template: leaf
        hooks: {exit: {template: leaf}}
  - {name: leaf, container: {image: a}}
)"));
  const std::vector<model::Step>& steps = group(all, "main").stages.at(0);
  EXPECT_EQ(steps.at(0).hooks.at(0).condition.value().source(), R"({{=steps["a"].status == "Failed"}})");
  EXPECT_EQ(steps.at(0).hooks.at(0).expression, std::nullopt);
  EXPECT_EQ(steps.at(0).hooks.at(1).condition, std::nullopt);
  EXPECT_EQ(steps.at(0).hooks.at(1).expression.value().source(), R"({{=steps["a"].status == "Running"}})");
  EXPECT_EQ(steps.at(1).hooks.at(0).condition, std::nullopt);
  EXPECT_TRUE(all.workflow.on_exit.has_value());
  EXPECT_THAT(texts(all.notices), ElementsAre(testing::HasSubstr("spec.hooks.exit.expression is ignored")));
}

TEST(ArgoLower, ARepositoryMayBeADirectoryOfThisMachine) {
  const model::Lowered all = lowered(R"(kind: ConfigMap
metadata: {name: artifact-repositories, annotations: {workflows.argoproj.io/default-artifact-repository: d}}
data: {d: "file: {path: /srv/kept, keyFormat: '{{workflow.name}}'}"}
---
)" + main_with(R"(    inputs: {artifacts: [{name: i, path: /i, s3: {key: given/by-key}}]}
    container: {image: i}
    outputs: {artifacts: [{name: o, path: /tmp/o}, {name: k, path: /tmp/k, s3: {key: by/key}}]}
)"));
  const auto saves = actions<model::Save>(task(all, "main"));
  ASSERT_EQ(saves.size(), 2U);
  EXPECT_EQ(saves[0].to->kind, "file");
  EXPECT_EQ(saves[0].to->text("path")->source(), "/srv/kept/{{workflow.name}}/o.tgz");
  EXPECT_EQ(saves[1].to->text("path")->source(), "/srv/kept/by/key");
}

TEST(ArgoLower, SaysHowLongARunIsKept) {
  const auto expiry = [](std::string_view spec) {
    const model::Expiry found = lowered(workflow_with(std::string(spec) + R"(
  entrypoint: m
  templateDefaults: {timeout: 10s, activeDeadlineSeconds: 5}
  templates: [{name: m, steps: [[{name: a, template: t}]]}, {name: t, container: {image: i}}]
)"))
                                    .workflow.expiry;
    const auto seconds = [](const auto& one) { return one ? one->count() : -1; };
    return std::tuple(seconds(found.after_success), seconds(found.after_failure), seconds(found.after_any_end));
  };
  EXPECT_EQ(expiry(""), std::tuple(-1, -1, -1));
  EXPECT_EQ(expiry("  ttlSecondsAfterFinished: 7"), std::tuple(-1, -1, 7));
  EXPECT_EQ(expiry("  ttlStrategy: {secondsAfterSuccess: 1, secondsAfterFailure: 0}"), std::tuple(1, 0, -1));
  EXPECT_EQ(expiry("  ttlStrategy: {secondsAfterCompletion: 3}"), std::tuple(-1, -1, 3));
}

TEST(ArgoLower, NamesRunsAsTheFileSays) {
  const std::string rest = "\nspec: {entrypoint: m, templates: [{name: m, container: {image: a}}]}\n";
  auto naming = [&](const std::string& metadata) {
    return lowered("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: " + metadata + rest).workflow.naming;
  };
  EXPECT_EQ(naming("{name: hello}").kind, model::RunNaming::Kind::given);
  EXPECT_EQ(naming("{name: hello}").stem, "hello");
  EXPECT_EQ(naming("{generateName: hello-}").kind, model::RunNaming::Kind::random);
  EXPECT_EQ(naming("{generateName: Hello_World-}").stem, "hello-world-");
  EXPECT_EQ(naming("{generateName: " + std::string(70, 'a') + "-}").stem, std::string(58, 'a'));
  model::RunRequest request = request_for("entrypoint: m\ntemplates: [{name: m, container: {image: a}}]\n");
  request.name = "mine";
  EXPECT_EQ(lowered(request).workflow.naming.stem, "mine");
}

TEST(ArgoLower, ChoosesOneWorkflowOfSeveral) {
  std::string text;
  for (const char* name : {"one", "two"})
    text += std::string("---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: ") + name +
            "-\n  annotations: {workflows.argoproj.io/title: Does it}\nspec: {entrypoint: m, templates: [{name: m, "
            "container: {image: a}}]}\n";
  text += "---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
  model::RunRequest request = request_for(text);
  EXPECT_EQ(refused(request).text, "w.yaml:9:1: there are several workflows, name one of them: one, two");
  request.workflow = "three";
  EXPECT_EQ(refused(request).kind, ErrorKind::not_found);
  request.workflow = "two-";
  const model::Lowered all = lowered(request);
  EXPECT_EQ(all.workflow.naming.stem, "two-");
  EXPECT_THAT(texts(all.notices), ElementsAre("w.yaml:16:1: warning: not supported yet: kind Service"));

  auto summaries = dialect().workflows(request.files).value();
  ASSERT_EQ(summaries.size(), 2U);
  EXPECT_EQ(summaries[0].name, "one");
  EXPECT_EQ(summaries[0].help, "Does it");
  EXPECT_EQ(summaries[1].origin.line, 9);
}

TEST(ArgoLower, RecognisesItsFiles) {
  auto recognised = [](std::string_view text) { return dialect().recognises("f.yaml", text); };
  EXPECT_TRUE(recognised(kPassing));
  EXPECT_TRUE(recognised(main_with("    container: {image: a}\n")));
  EXPECT_TRUE(recognised("kind: Workflow\nspec:\n\t- x\n"));
  EXPECT_TRUE(recognised("{\"apiVersion\": \"argoproj.io/v1alpha1\", \"kind\": \"WorkflowTemplate\"}"));
  EXPECT_TRUE(recognised("entrypoint: x\ntemplates:\n - [\n"));
  EXPECT_TRUE(recognised("kind: List\nitems: [{kind: Pod}, {apiVersion: argoproj.io/v1alpha1, kind: Workflow}]\n"));
  EXPECT_FALSE(recognised("kind: List\nitems: [{kind: Pod}]\n"));
  EXPECT_FALSE(recognised("workflows:\n  - name: x\n    provider: bash\n"));
  EXPECT_FALSE(recognised("version: 2.1\njobs: {build: {docker: [{image: a}]}}\n"));
  EXPECT_FALSE(recognised(""));
}

}  // namespace
}  // namespace kist::dialect::argo
