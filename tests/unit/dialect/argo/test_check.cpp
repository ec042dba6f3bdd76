// What lint finds, in Argo's words, each with its place.
#include <gmock/gmock.h>

#include "dialect/argo/fields.hpp"
#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

using testing::HasSubstr;

struct Case {
  const char* what;
  const char* lines;     // of the template `main`, from line 8
  const char* expected;  // a line of the error
};

constexpr const char* kLeafTemplate = R"(
  - name: leaf
    inputs:
      parameters: [{name: p}]
      artifacts: [{name: a, path: /a}]
    container: {image: i}
    outputs: {parameters: [{name: o, valueFrom: {path: /o}}], artifacts: [{name: x, path: /x}]}
  - {name: t, container: {image: i}}
)";

class ArgoCheck : public testing::TestWithParam<Case> {};

TEST_P(ArgoCheck, IsSaidWithItsPlace) {
  const Error error = refused(main_with(std::string(GetParam().lines) + kLeafTemplate));
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_THAT("\n" + error.text + "\n", HasSubstr("\nw.yaml:" + std::string(GetParam().expected) + "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Lint, ArgoCheck,
    testing::Values(
        Case{"no_type", "    inputs: {}",
             "7:5: templates.main: template type unspecified; it needs one of container, "
             "script, steps, dag, containerSet, suspend, http, data and resource"},
        Case{"two_types", "    container: {image: i}\n    script: {image: i, source: x}",
             "7:5: templates.main: multiple template types specified"},
        Case{"leaf_with_parallelism", "    parallelism: 2\n    container: {image: i}",
             "8:18: templates.main.parallelism is only valid for steps and dag templates"},
        Case{"group_with_pending_timeout", "    pendingTimeout: 5s\n    steps: [[{name: a, template: t}]]",
             "8:21: templates.main: Steps template doesn't support pendingTimeout field"},
        Case{"timeout_without_unit", "    timeout: 23\n    container: {image: i}",
             "8:14: templates.main has invalid duration format in timeout: expected such as 30s or 1h30m, not '23'"},
        Case{"host_type", "    volumes: [{name: v, hostPath: {path: /x, type: Folder}}]\n    container: {image: i}",
             "8:52: templates.main.volumes.v: hostPath.type must be one of Directory, DirectoryOrCreate, File, "
             "FileOrCreate, Socket, CharDevice and BlockDevice, not 'Folder'"},
        Case{"no_items", "    dag: {tasks: [{name: a, template: t}, {name: b, template: t, depends: a.AllFailed}]}",
             "8:43: templates.main.tasks.b dependency 'a' uses an items-based condition such as .AnySucceeded or "
             ".AllFailed but does not contain any items"},
        Case{"no_image", "    container: {command: [x]}", "8:16: templates.main.container.image may not be empty"},
        Case{"unknown_key", "    container: {image: i, comand: [x]}",
             "8:27: templates.main.container: unknown key 'comand'; did you mean 'command'?"},
        Case{"wrong_type", "    container: [x]", "8:16: templates.main.container must be a mapping, not a list"},
        Case{"wrong_item", "    container: {image: i, args: [a, {b: c}]}",
             "8:37: templates.main.container.args[1] must be a text, not a mapping"},
        Case{"zero_byte", "    container: {image: i, args: [\"a\\0b\"]}",
             "8:34: templates.main.container.args[0] holds a "
             "zero byte"},
        Case{"undefined_template", "    steps: [[{name: a, template: nope}]]",
             "8:34: templates.main.steps[0].a template name 'nope' undefined"},
        Case{"no_template", "    steps: [[{name: a}]]", "8:14: templates.main.steps[0].a.template is required"},
        Case{"step_twice", "    steps: [[{name: a, template: t}], [{name: a, template: t}]]",
             "8:47: templates.main.steps[1].name 'a' is not unique"},
        Case{"parameter_missing",
             "    steps: [[{name: a, template: leaf, arguments: {artifacts: [{name: a, raw: {data: "
             "x}}]}}]]",
             "8:14: templates.main.steps[0].a templates.leaf inputs.parameters.p was not supplied"},
        Case{"artifact_missing",
             "    dag: {tasks: [{name: a, template: leaf, arguments: {parameters: [{name: p, value: v}]}}]}",
             "8:19: templates.main.tasks.a templates.leaf inputs.artifacts.a was not supplied"},
        Case{"entry_parameter_missing", "    inputs: {parameters: [{name: p}]}\n    container: {image: i}",
             "7:5: templates.main inputs.parameters.p was not supplied; give it with `-p p=VALUE`"},
        Case{"argument_without_value", "    steps: [[{name: a, template: t, arguments: {parameters: [{name: p}]}}]]",
             "8:62: templates.main.steps[0].a.arguments.p.value or templates.main.steps[0].a.arguments.p.valueFrom is "
             "required"},
        Case{"argument_without_source", "    steps: [[{name: a, template: t, arguments: {artifacts: [{name: x}]}}]]",
             "8:61: templates.main.steps[0].a.arguments.artifacts.x: from, artifact location, or key is required"},
        Case{"unresolved_input", "    container: {image: i, args: [\"{{ inputs.parameters.q }}\"]}",
             "8:34: templates.main failed to resolve {{ inputs.parameters.q }}"},
        Case{"unresolved_workflow_parameter", "    container: {image: \"{{workflow.parameters.q}}\"}",
             "8:24: templates.main failed to resolve {{workflow.parameters.q}}; give it with `-p q=VALUE`"},
        Case{"step_of_the_same_stage",
             "    steps: [[{name: a, template: t}, {name: b, template: t, when: \"{{steps.a.status}} == x\"}]]",
             "8:67: templates.main.steps[0].b failed to resolve {{steps.a.status}}"},
        Case{"output_that_is_not_there",
             "    steps: [[{name: a, template: t}]]\n    outputs: {parameters: [{name: o, valueFrom: {parameter: "
             "\"{{steps.a.outputs.parameters.o}}\"}}]}",
             "9:61: templates.main.outputs.parameters.o failed to resolve {{steps.a.outputs.parameters.o}}"},
        Case{"missing_dependency",
             "    dag: {tasks: [{name: a, template: t}, {name: b, template: t, arguments: {parameters: [{name: p, "
             "value: "
             "\"{{tasks.a.outputs.result}}\"}]}}]}",
             "8:108: templates.main.tasks.b missing dependency 'a' for parameter 'p'"},
        Case{"undefined_dependency", "    dag: {tasks: [{name: a, template: t, dependencies: [b]}]}",
             "8:57: templates.main.tasks.a dependency 'b' not defined"},
        Case{"cycle",
             "    dag: {tasks: [{name: a, template: t, dependencies: [b]}, {name: b, template: t, depends: a.Failed}]}",
             "8:19: templates.main.tasks dependency cycle detected: a->b->a"},
        Case{"itself", "    dag: {tasks: [{name: a, template: t, dependencies: [a]}]}",
             "8:19: templates.main.tasks dependency cycle detected: a->a"},
        Case{"target", "    dag: {target: z, tasks: [{name: a, template: t}]}",
             "8:19: templates.main.targets target 'z' is not defined"},
        Case{"both_depends",
             "    dag: {tasks: [{name: a, template: t}, {name: b, template: t, depends: a, dependencies: "
             "[a]}]}",
             "8:93: templates.main cannot use both 'depends' and 'dependencies' in the same DAG template"},
        Case{"both_depends_of_two_tasks",
             "    dag: {tasks: [{name: a, template: t}, {name: b, template: t, dependencies: [a]}, {name: c, template: "
             "t, depends: b}]}",
             "8:81: templates.main cannot use both 'depends' and 'dependencies' in the same DAG template"},
        Case{"continue_on_with_depends",
             "    dag: {tasks: [{name: a, template: t}, {name: b, template: t, depends: a, continueOn: {failed: "
             "true}}]}",
             "8:43: templates.main cannot use 'continueOn' when using 'depends'. Instead use "
             "'dep-task.Failed'/'dep-task.Errored'"},
        Case{
            "continue_on_of_another_task",
            "    dag: {tasks: [{name: a, template: t, continueOn: {error: true}}, {name: b, template: t, depends: a}]}",
            "8:19: templates.main cannot use 'continueOn' when using 'depends'. Instead use "
            "'dep-task.Failed'/'dep-task.Errored'"},
        Case{"digit_where_others_depend",
             "    dag: {tasks: [{name: 5A, template: t}, {name: b, template: t}, {name: c, template: t, depends: b}]}",
             "8:26: templates.main.tasks.5A name cannot begin with a digit when using either 'depends' or "
             "'dependencies'"},
        Case{"digit_with_dependencies",
             "    dag: {tasks: [{name: a, template: t}, {name: 5B, template: t, dependencies: [a]}]}",
             "8:50: templates.main.tasks.5B name cannot begin with a digit when using either 'depends' or "
             "'dependencies'"},
        Case{"target_of_an_input_that_is_not_there",
             "    dag: {target: \"{{inputs.parameters.target}}\", tasks: [{name: a, template: t}]}",
             "8:19: templates.main.targets failed to resolve {{inputs.parameters.target}}"},
        Case{"global_parameter_that_nobody_gives",
             "    container: {image: i, args: [\"{{workflow.outputs.parameters.none}}\"]}",
             "8:34: templates.main failed to resolve {{workflow.outputs.parameters.none}}"},
        Case{"global_artifact_that_nobody_gives",
             "    steps: [[{name: a, template: t, arguments: {artifacts: [{name: x, from: "
             "\"{{workflow.outputs.artifacts.none}}\"}]}}]]",
             "8:77: templates.main.steps[0].a failed to resolve {{workflow.outputs.artifacts.none}}"},
        Case{"global_artifact_that_is_a_parameter",
             "    container: {image: i, args: [\"{{workflow.outputs.artifacts.g}}\"]}\n"
             "    outputs: {parameters: [{name: o, globalName: g, valueFrom: {path: /o}}]}",
             "8:34: templates.main failed to resolve {{workflow.outputs.artifacts.g}}"},
        Case{
            "argument_of_a_file",
            "    steps: [[{name: a, template: t, arguments: {parameters: [{name: p, valueFrom: {path: /p}}]}}]]",
            "8:62: templates.main.steps[0].a.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied"},
        Case{"argument_of_an_output",
             "    dag: {tasks: [{name: a, template: t, arguments: {parameters: [{name: p, valueFrom: {supplied: {}, "
             "parameter: x}}]}}]}",
             "8:67: templates.main.tasks.a.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied"},
        Case{
            "argument_of_a_default_alone",
            "    steps: [[{name: a, template: t, arguments: {parameters: [{name: p, valueFrom: {default: x}}]}}]]",
            "8:62: templates.main.steps[0].a.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied"},
        Case{"key_that_no_item_has",
             "    steps: [[{name: a, template: t, withItems: [x, {a: 1}, {c: 1}], when: \"{{item.b}} == 1\"}]]",
             "8:75: templates.main.steps[0].a failed to resolve {{item.b}}"},
        Case{"key_of_a_number",
             "    dag: {tasks: [{name: a, template: t, withSequence: {count: 2}, when: \"{{item.b}} == 1\"}]}",
             "8:74: templates.main.tasks.a failed to resolve {{item.b}}"},
        Case{"output_without_source", "    container: {image: i}\n    outputs: {parameters: [{name: o}]}",
             "9:28: templates.main.outputs.parameters.o does not have valueFrom or value specified"},
        Case{"output_of_the_wrong_kind",
             "    container: {image: i}\n    outputs: {parameters: [{name: o, valueFrom: {parameter: x}}]}",
             "9:28: templates.main.outputs.parameters.o.path must be specified for Container templates"},
        Case{"path_twice",
             "    container: {image: i}\n    inputs: {artifacts: [{name: a, path: /d, raw: {data: x}}, {name: b, path: "
             "/d/, raw: {data: x}}]}",
             "9:79: templates.main.inputs.artifacts[1].path '/d/' already mounted in inputs.artifacts.a"},
        Case{"path_escapes", "    container: {image: i}\n    outputs: {artifacts: [{name: x, path: ../../etc}]}",
             "9:43: templates.main.outputs.artifacts.x.path '../../etc' leaves the task's root directory"},
        Case{"mode",
             "    container: {image: i}\n    inputs: {artifacts: [{name: a, path: /d, mode: 755, raw: {data: x}}]}",
             "9:52: templates.main.inputs.artifacts.a.mode must be from 0 to 0777 (511), not 755; octal numbers begin "
             "with 0"},
        Case{"empty_name", "    container: {image: i}\n    inputs: {parameters: [{name: \"\", value: x}]}",
             "9:34: templates.main.inputs.parameters[0].name is required"},
        Case{"bad_name", "    container: {image: i}\n    outputs: {artifacts: [{name: \"a b\", path: /x}]}",
             "9:34: templates.main.outputs.artifacts[0].name: 'a b' is invalid: letters, digits, '-', '_' and '.'"},
        Case{"template_twice", "    container: {image: i}\n  - {name: main, container: {image: i}}",
             "9:12: templates[1].name 'main' is not unique"}),
    [](const auto& each) { return each.param.what; });

TEST(ArgoCheckSpec, NamesWhatTheWorkflowLacks) {
  EXPECT_EQ(refused(workflow_with("  templates: [{name: m, container: {image: a}}]\n")).text,
            "w.yaml:5:3: spec.entrypoint is required");
  EXPECT_EQ(refused(workflow_with("  entrypoint: x\n  templates: []\n")).text,
            "w.yaml:5:15: spec.entrypoint: template name 'x' undefined");
  EXPECT_EQ(refused("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n").text, "w.yaml:1:1: spec is required");
  EXPECT_EQ(refused("apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nspec: {}\n").text,
            "w.yaml:3:7: spec.schedules is required: when it is to be run (\"0 3 * * *\")\n"
            "w.yaml:3:7: spec.workflowSpec is required");
  EXPECT_EQ(refused("apiVersion: argoproj.io/v1alpha1\nkind: WorkflowEventBinding\nspec: {}\n").text,
            "w.yaml:1:1: not supported yet: kind WorkflowEventBinding");
  EXPECT_EQ(refused("a: [\n").kind, ErrorKind::invalid);
  EXPECT_THAT(refused("").text, HasSubstr("there is nothing"));
  EXPECT_THAT(refused("- a\n").text, HasSubstr("w.yaml:1:1: expected a workflow"));
  EXPECT_THAT(refused("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: " + std::string(70, 'a') +
                      "}\nspec: {entrypoint: m, templates: [{name: m, container: {image: a}}]}\n")
                  .text,
              HasSubstr("\" must not be more than 63 characters long (currently 70)"));
}

// Every key that would make running wrong is refused by its name, at its place.
void expect_refused(const Table& table, const std::string& before, const std::string& after, int column) {
  for (const Field& field : table.fields) {
    if (field.use != Use::refused) continue;
    const Error error = refused(main_with(before + std::string(field.name) + ": {x: y}" + after));
    EXPECT_THAT(error.text, HasSubstr("w.yaml:8:" + std::to_string(column) +
                                      ": not supported yet: " + std::string(field.name) + " ("))
        << error.text;
  }
}

// Templates kept for several workflows speak of parameters that one of them has.
TEST(ArgoCheckSpec, WhatAnInputSaysItselfCountsWhereACallLeavesItOut) {
  auto calling = [](const std::string& arguments) {
    return main_with("    steps: [[{name: a, template: leaf" + arguments + "}]]\n" +
                     "  - name: leaf\n    inputs: {parameters: [{name: p, value: \"{{workflow.parameters.q}}\"}]}\n" +
                     "    container: {image: i, args: [\"{{inputs.parameters.p}} {{workflow.status}}\"]}\n");
  };
  EXPECT_TRUE(lowered(calling(", arguments: {parameters: [{name: p, value: x}]}")).notices.empty());
  EXPECT_THAT(refused(calling("")).text, HasSubstr("failed to resolve {{workflow.parameters.q}}"));
}

TEST(ArgoCheckSpec, WhatIsKnownOnlyWhenItRunsIsLeftAlone) {
  for (const char* lines : {
           // Another template makes the name of an output when it runs, or gives the very one.
           "    steps: [[{name: a, template: g, arguments: {parameters: [{name: p, value: v}]}}], [{name: b, template: "
           "t, when: \"{{workflow.outputs.parameters.v}} == {{workflow.outputs.parameters.w}}\"}]]",
           "    container: {image: i, args: [\"{{workflow.outputs.artifacts.known}}\"]}",
           // Items of mixed kinds, made of a list, or of references.
           "    steps: [[{name: a, template: t, withItems: [{a: 1}, x, {b: 1}], when: \"{{item.a}} == {{item.b}}\"}]]",
           "    steps: [[{name: a, template: t, withParam: \"[{}]\", when: \"{{item.b}} == 1\"}]]",
           "    steps: [[{name: a, template: t, withItems: [\"{{workflow.name}}\"], when: \"{{item.b}} == 1\"}]]",
           "    dag: {target: \"{{workflow.name}} 5A\", tasks: [{name: 5A, template: t}]}",
           // A digit where nothing of it is spoken of, and words of dags that have only one of the two.
           "    dag: {tasks: [{name: 5A, template: t}, {name: b, template: t}, {name: c, template: t, dependencies: "
           "[b], continueOn: {failed: true}}]}",
       })
    lowered(main_with(std::string(lines) + R"(
  - {name: t, container: {image: i}}
  - name: g
    inputs: {parameters: [{name: p}]}
    container: {image: i}
    outputs:
      parameters: [{name: o, globalName: "{{inputs.parameters.p}}", valueFrom: {path: /o}}]
      artifacts: [{name: x, globalName: known, path: /x}]
)"));
}

// Whoever uses a template of others may have what it speaks of.
TEST(ArgoCheckSpec, TemplatesForOthersMaySpeakOfTheirOutputs) {
  const std::string text =
      "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: x}\nspec:\n  templates:\n"
      "  - {name: a, container: {image: i, args: [\"{{workflow.outputs.parameters.g}}\"]}}\n";
  EXPECT_TRUE(dialect().check(request_for(text)));
}

// With a kind it is known what is to be run: a mistyped key beside it changes nothing.
TEST(ArgoCheckSpec, KeysThatAreUnknownAreMistakesBelowTheTop) {
  const std::string rest = "kind: Workflow\nspec: {entrypoint: m, templates: [{name: m, container: {image: i}}]}\n";
  EXPECT_THAT(texts(lowered("dbapiVersion: argoproj.io/v1alpha1\n" + rest).notices),
              testing::ElementsAre("w.yaml:1:1: warning: the workflow: unknown key 'dbapiVersion'; did you mean "
                                   "'apiVersion'?"));
  EXPECT_THAT(refused("extra: x\n" + rest.substr(rest.find("spec"))).text, HasSubstr("unknown key 'extra'"));
  EXPECT_THAT(
      refused("kind: Workflow\nspec: {extra: x, entrypoint: m, templates: [{name: m, container: {image: i}}]}\n").text,
      HasSubstr("unknown key 'extra'"));
}

TEST(ArgoTables, RefuseByNameAndPlace) {
  expect_refused(kTemplate, "    ", "\n    container: {image: i}\n", 5);
  expect_refused(kContainer, "    container: {image: i, ", "}\n", 27);
  expect_refused(kEnvironmentValue, "    container: {image: i, env: [{name: A, valueFrom: {", "}}]}\n", 55);
  expect_refused(kArtifact, "    inputs: {artifacts: [{name: a, path: /a, ", "}]}\n    container: {image: i}\n", 46);
  expect_refused(kArchiveLocation, "    archiveLocation: {", "}\n    container: {image: i}\n", 23);
  expect_refused(kVolume, "    volumes: [{name: a, ", "}]\n    container: {image: i}\n", 25);
  for (const Field& field : kSpec.fields) {
    if (field.use != Use::refused) continue;
    EXPECT_THAT(refused(workflow_with("  " + std::string(field.name) +
                                      ": {x: y}\n  entrypoint: m\n  templates: [{name: m, container: {image: i}}]\n"))
                    .text,
                HasSubstr("w.yaml:5:3: not supported yet: " + std::string(field.name) + " ("));
  }
}

TEST(ArgoTables, ClusterMattersNeverFailAFile) {
  std::string spec = "  entrypoint: m\n";
  std::string definition;
  std::string container;
  std::size_t ignored = 0;
  auto add = [&](const Table& table, std::string& text, const std::string& indent) {
    for (const Field& field : table.fields) {
      if (field.use != Use::cluster && field.use != Use::postponed) continue;
      text += indent + std::string(field.name) + ": {any: [thing]}\n";
      ++ignored;
    }
  };
  add(kSpec, spec, "  ");
  add(kTemplate, definition, "    ");
  add(kContainer, container, "      ");
  const model::Lowered all = lowered(workflow_with(spec + "  templates:\n  - name: m\n" + definition +
                                                   "    container:\n      image: i\n" + container));
  // One word each, however often it stands in the file.
  EXPECT_LT(all.notices.size(), ignored);
  EXPECT_THAT(texts(all.notices), testing::Contains(HasSubstr("warning: nodeSelector is ignored on one machine")));
}

TEST(ArgoTables, WhatAsksForNothingIsNotRefused) {
  EXPECT_TRUE(lowered(main_with("    daemon: false\n    sidecars: []\n    volumes: null\n    timeout: \"\"\n"
                                "    container: {image: i, volumeMounts: []}\n"))
                  .notices.empty());
}

TEST(ArgoTables, OnlyWhatRunsBesideAContainerMayNotHaveTheNamesOfArgosOwn) {
  const auto with = [](const std::string& named) {
    return main_with("    container: {image: i}\n    " + named + ", image: i, command: [x]}]\n");
  };
  EXPECT_TRUE(lowered(with("initContainers: [{name: init")).notices.empty());
  EXPECT_TRUE(lowered(with("sidecars: [{name: init")).notices.empty());
  for (const char* name : {"wait", "supervisor", "artifact-plugin-x"})
    EXPECT_THAT(refused(with(std::string("sidecars: [{name: ") + name)).text,
                HasSubstr("is a reserved Argo container name"));
}

TEST(ArgoTables, ExpressionsAreRefusedWhereTheyStand) {
  EXPECT_TRUE(lowered(main_with("    container: {image: i, args: [\"x {{=1 + 1}} y\"]}\n")).notices.empty());
  EXPECT_EQ(refused(main_with("    container: {image: i, args: [\"x {{=1 +}} y\"]}\n")).text,
            "w.yaml:8:34: templates.main: '1 +': column 4: something is missing at the end");
}

// Argo's lint lets it come with the run.
TEST(ArgoLint, AnArgumentWithoutAValueIsAnErrorOnlyWhereItIsToRun) {
  const model::RunRequest request = request_for(workflow_with(
      "  entrypoint: t\n  arguments: {parameters: [{name: p}]}\n  templates: [{name: t, container: {image: "
      "\"{{workflow.parameters.p}}\"}}]\n"));
  const std::string text =
      "spec.arguments.p.value or spec.arguments.p.valueFrom is required; give it with `-p p=VALUE`";
  const auto looked_at = dialect().check(request);
  ASSERT_TRUE(looked_at) << looked_at.error().text;
  EXPECT_THAT(texts(looked_at->notices), testing::Contains(HasSubstr("warning: " + text)));
  EXPECT_THAT(refused(request).text, HasSubstr(text));
}

// A loop's results make a list for who reads them, and only then.
TEST(ArgoLint, AStepTellsWhetherItsResultsAreRead) {
  const model::Lowered all = lowered(main_with(R"(    steps:
    - [{name: a, template: t, withItems: [1]}, {name: b, template: t, withItems: [1]}]
    - [{name: c, template: t, when: "{{steps.a.outputs.result}} == x"}]
  - {name: t, container: {image: i}}
)"));
  const std::vector<model::Step>& first = group(all, "main").stages.at(0);
  EXPECT_TRUE(first[0].loop->lists_results);
  EXPECT_FALSE(first[1].loop->lists_results);
}

}  // namespace
}  // namespace kist::dialect::argo
