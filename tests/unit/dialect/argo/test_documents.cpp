// Documents that refer to others: templates elsewhere, config maps, secrets, schedules.
#include <gmock/gmock.h>

#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kLibrary = R"(apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: shelf}
spec:
  entrypoint: say
  arguments: {parameters: [{name: word, value: from-shelf}, {name: other, value: kept}]}
  templates:
  - name: say
    inputs: {parameters: [{name: word}]}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.word}}"]}
  - name: twice
    steps:
    - - {name: one, template: say, arguments: {parameters: [{name: word, value: a}]}}
  - name: unused
    container: {image: busybox}
)";

std::string value_of(const model::Lowered& lowered, std::string_view name) {
  for (const auto& [parameter, value] : lowered.workflow.parameters)
    if (parameter == name) return value.source();
  return "";
}

TEST(ArgoDocuments, ATemplateOfAnotherDocumentIsReadWithWhatItCalls) {
  model::RunRequest request =
      request_for(main_with("    steps: [[{name: a, templateRef: {name: shelf, template: twice}}]]\n"));
  EXPECT_FALSE(dialect().is_complete(request));
  EXPECT_THAT(refused(request).text, HasSubstr("template reference shelf.twice not found"));
  request.library = {{"shelf.yaml", kLibrary}};
  EXPECT_TRUE(dialect().is_complete(request));
  const model::Lowered all = lowered(request);
  std::vector<std::string> names;
  for (const auto& [name, definition] : all.workflow.definitions) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("main", "shelf/say", "shelf/twice"));
  EXPECT_EQ(all.workflow.definitions.at("shelf/say").label, "say");
  EXPECT_EQ(model::to_string(all.workflow.definitions.at("shelf/say").origin), "shelf.yaml:8:5");
}

TEST(ArgoDocuments, AWorkflowIsLaidOverTheTemplateItRefersTo) {
  model::RunRequest request = request_for(
      workflow_with("  workflowTemplateRef: {name: shelf}\n  arguments: {parameters: [{name: word, value: mine}]}\n"));
  request.library = {{"shelf.yaml", kLibrary}};
  const model::Lowered all = lowered(request);
  EXPECT_EQ(all.workflow.entry.definition, "say");
  EXPECT_EQ(value_of(all, "word"), "mine");
  EXPECT_EQ(value_of(all, "other"), "kept");
}

TEST(ArgoDocuments, ATemplateRunsByItself) {
  const model::Lowered all = lowered(request_for(kLibrary));
  EXPECT_EQ(all.workflow.entry.definition, "say");
  EXPECT_EQ(all.workflow.naming.stem, "shelf-");
}

TEST(ArgoDocuments, DefaultsFitOnlyTheirKindOfTemplate) {
  const model::Lowered all = lowered(workflow_with(R"(  entrypoint: main
  templateDefaults: {container: {image: busybox, env: [{name: A, value: x}]}}
  templates:
  - name: main
    container: {command: [env], env: [{name: B, value: y}]}
)"));
  const model::Container& container = task(all, "main").containers.at(0);
  EXPECT_EQ(container.image.source(), "busybox");
  std::vector<std::string> names;
  for (const auto& variable : container.environment)
    if (!variable.name.starts_with("ARGO_")) names.push_back(variable.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("A", "B"));
}

TEST(ArgoDocuments, AnInlineTemplateHasNoName) {
  const model::Lowered all =
      lowered(main_with("    steps: [[{name: a, inline: {container: {image: busybox, command: [ls]}}}]]\n"));
  EXPECT_EQ(group(all, "main").stages.at(0).at(0).call.definition, "main.a");
  EXPECT_EQ(all.workflow.definitions.at("main.a").label, "");
}

TEST(ArgoDocuments, ValuesOfAConfigMapAreNotReadAsReferences) {
  const std::string map =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {k: \"{{workflow.name}}\"}\n";
  const std::string spec =
      "  entrypoint: main\n  arguments: {parameters: [{name: p, valueFrom: {configMapKeyRef: {name: m, key: k}}}]}\n"
      "  templates: [{name: main, container: {image: busybox}}]\n";
  const model::Lowered all = lowered(workflow_with(spec) + map);
  EXPECT_EQ(value_of(all, "p"), "{{workflow.name}}");
  EXPECT_TRUE(all.workflow.parameters.at(0).second.is_literal());
  EXPECT_THAT(refused(workflow_with(spec)).text, HasSubstr("config map 'm' is not known here"));
  EXPECT_TRUE(dialect().check(request_for(workflow_with(spec))).has_value());
}

TEST(ArgoDocuments, AScheduleIsPartOfTheModelAndItsLinesAreChecked) {
  const std::string cron = R"(apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedule: "0 3 * * 1-5"
  timezone: Europe/Berlin
  workflowSpec:
    entrypoint: main
    templates: [{name: main, container: {image: busybox}}]
)";
  const model::Lowered all = lowered(cron);
  EXPECT_THAT(all.workflow.schedules, ElementsAre("0 3 * * 1-5"));
  EXPECT_EQ(all.workflow.timezone, "Europe/Berlin");
  EXPECT_EQ(all.workflow.recurrence->overlap, model::Recurrence::Overlap::allow);
  std::string often = cron;
  often.insert(often.find("  workflowSpec"),
               "  when: \"{{cronworkflow.failed}} < 3\"\n  concurrencyPolicy: Forbid\n"
               "  stopStrategy: {expression: cronworkflow.succeeded > 1}\n"
               "  successfulJobsHistoryLimit: 0\n  failedJobsHistoryLimit: -1\n");
  const model::Recurrence recurrence = lowered(often).workflow.recurrence.value();
  EXPECT_EQ(recurrence.condition->source(), "{{cronworkflow.failed}} < 3");
  EXPECT_EQ(recurrence.stop, "cronworkflow.succeeded > 1");
  EXPECT_EQ(recurrence.overlap, model::Recurrence::Overlap::forbid);
  EXPECT_EQ(recurrence.history.succeeded, 0u);
  EXPECT_FALSE(recurrence.history.failed);
  often.replace(often.find("Forbid"), 6, "Never");
  EXPECT_THAT(refused(often).text, HasSubstr("'Never' is not a valid concurrencyPolicy"));
  std::string wrong = cron;
  wrong.replace(wrong.find("1-5"), 3, "1-9");
  EXPECT_THAT(refused(wrong).text, HasSubstr("w.yaml:5:13: cron schedule is malformed: '1-9' is no weekday"));
}

TEST(ArgoDocuments, ASecretsValueLeavesTheTextAndTheLinesStay) {
  const model::SourceText file{
      kFileName,
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {token: c2VjcmV0}\nstringData: {plain: word}\n---\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {k: v}\n"};
  const std::string without = dialect().without_secrets(file).value();
  EXPECT_EQ(std::ranges::count(without, '\n'), std::ranges::count(file.text, '\n'));
  EXPECT_THAT(without, testing::Not(HasSubstr("c2VjcmV0")));
  EXPECT_THAT(without, HasSubstr("kind: ConfigMap"));
  const auto kept = dialect().kept_documents(file).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].kind, "Secret");
  ASSERT_TRUE(kept[0].secret.has_value());
  EXPECT_THAT(*kept[0].secret, ElementsAre(testing::Pair("token", "secret"), testing::Pair("plain", "word")));
  EXPECT_EQ(kept[0].source.text, "");
  EXPECT_THAT(kept[1].source.text, HasSubstr("data: {k: v}"));
}

TEST(ArgoDocuments, ASecretOnTheLineThatPartsDocumentsLeavesTheText) {
  const char* config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {k: v}\n";
  for (const char* secret : {
           "--- {apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: hush}}\n",
           "---\nkind: ConfigMap\nmetadata: {name: n}\n...\n--- {kind: Secret, metadata: {name: s},\nstringData: {k: "
           "hush}}\n...\n",
           "--- # hush\nkind: Secret\nmetadata: {name: s}\nstringData:\n  k: |\n    hush\n",
           "---\nkind: \"\\x53ecret\"\nmetadata: {name: s}\nstringData: {k: hush}\n",
           "---\napiVersion: v2\nkind: Secret\nmetadata: {name: s}\nstringData: {k: hush}\n",
       }) {
    const model::SourceText file{kFileName, std::string(config) + secret + config};
    const auto without = dialect().without_secrets(file);
    ASSERT_TRUE(without.has_value()) << secret;
    EXPECT_THAT(*without, testing::Not(HasSubstr("hush"))) << secret;
    EXPECT_EQ(std::ranges::count(*without, '\n'), std::ranges::count(file.text, '\n')) << secret;
    EXPECT_TRUE(without->ends_with(config)) << secret;
    const auto all = dialect().kept_documents(file).value();
    for (const auto& kept : all) EXPECT_THAT(kept.source.text, testing::Not(HasSubstr("hush"))) << secret;
  }
}

TEST(ArgoDocuments, TheItemsOfAListAreDocumentsAndItsSecretsLeaveTheText) {
  const model::SourceText file{kFileName, R"(apiVersion: v1
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: s}
  # beside
  stringData:
    k: hush
- apiVersion: v1
  data: {k: "3"}
  kind: ConfigMap
  metadata: {name: m}
kind: List
)"};
  const std::string without = dialect().without_secrets(file).value();
  EXPECT_THAT(without, testing::Not(HasSubstr("hush")));
  EXPECT_THAT(without, HasSubstr("kind: ConfigMap"));
  EXPECT_EQ(std::ranges::count(without, '\n'), std::ranges::count(file.text, '\n'));
  const auto kept = dialect().kept_documents(file).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_THAT(kept[0].secret.value(), ElementsAre(testing::Pair("k", "hush")));
  EXPECT_EQ(kept[1].name, "m");
  EXPECT_THAT(kept[1].source.text, HasSubstr(R"("data":{"k":"3"})"));

  // Where its lines are not its own.
  for (const char* text :
       {R"({"kind": "List", "items": [{"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hush"}}]})",
        "kind: List\nitems:\n- kind: Secret\n  stringData: {k: \"a\nb: hush\"}\n"}) {
    const auto refused = dialect().without_secrets({kFileName, text});
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_THAT(refused.error().text, HasSubstr("w.yaml:1:1: there is a Secret")) << text;
  }
}

}  // namespace
}  // namespace kist::dialect::argo
