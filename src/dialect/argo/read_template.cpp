// Templates, their bodies, steps and tasks.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr auto kTypes = std::to_array<std::pair<std::string_view, Template::Kind>>({
    {"container", Template::Kind::container},
    {"script", Template::Kind::script},
    {"steps", Template::Kind::steps},
    {"dag", Template::Kind::dag},
    {"containerSet", Template::Kind::container_set},
    {"data", Template::Kind::data},
    {"http", Template::Kind::http},
    {"plugin", Template::Kind::plugin},
    {"resource", Template::Kind::resource},
    {"suspend", Template::Kind::suspend},
});

std::string step_name(const std::string& where, const yaml::Node& node) {
  const yaml::Node* name = node.is_mapping() ? node.find("name") : nullptr;
  return name != nullptr && name->is_scalar() ? fmt::format("{}.{}", where, name->text) : where;
}

StepSpec read_step(const yaml::Node& node, bool task, const std::string& where, Report& report) {
  Fields fields(report, node, task ? kTask : kStep, where);
  StepSpec step;
  step.mark = node.mark;
  step.name = fields.text("name").value_or(Scalar{"", node.mark});
  step.called = read_reference(fields);
  if (const yaml::Node* inner = fields.mapping("inline"))
    step.inner = std::make_shared<Template>(read_template(*inner, where + ".inline", report));
  step.loop = read_loop(fields, step.loops);
  if (auto on_exit = fields.text("onExit"); on_exit && !on_exit->text.empty()) {
    step.on_exit.emplace();
    step.on_exit->dynamic = is_late(on_exit->text);
    step.on_exit->name = std::move(on_exit);
    step.on_exit->given = true;
  }
  step.hooks = read_hooks(fields);
  step.condition = fields.text("when");
  if (step.condition && step.condition->text.empty()) step.condition.reset();
  step.arguments = read_exchange(fields.mapping("arguments"), Side::arguments, where + ".arguments", report);
  if (const yaml::Node* go_on = fields.mapping("continueOn")) {
    Fields inner(report, *go_on, kContinueOn, where + ".continueOn");
    step.has_continue_on = true;
    step.tolerate_error = inner.boolean("error", false);
    step.tolerate_failed = inner.boolean("failed", false);
  }
  if (task) {
    step.has_dependencies = fields.gives("dependencies");
    step.dependencies = fields.texts("dependencies");
    step.depends = fields.text("depends");
    if (step.depends && step.depends->text.empty()) step.depends.reset();
  }
  return step;
}

void read_stages(Fields& fields, Template& definition) {
  const std::vector<yaml::Node>& stages = fields.list("steps");
  for (std::size_t index = 0; index < stages.size(); ++index) {
    const std::string where = fmt::format("{}.steps[{}]", fields.where(), index);
    // Argo once took a single step for a stage of its own.
    if (!stages[index].is_sequence() && !stages[index].is_mapping()) {
      fields.report().error(stages[index].mark, fmt::format("{} must be a list of steps that run side by side "
                                                            "(`- - name: …`), not {}",
                                                            where, kind_of(stages[index])));
      continue;
    }
    std::vector<StepSpec>& stage = definition.stages.emplace_back();
    if (stages[index].is_mapping())
      stage.push_back(read_step(stages[index], false, step_name(where, stages[index]), fields.report()));
    for (const yaml::Node& step : stages[index].items)
      stage.push_back(read_step(step, false, step_name(where, step), fields.report()));
  }
}

void read_dag(Fields& fields, Template& definition) {
  const yaml::Node* dag = fields.mapping("dag");
  if (dag == nullptr) return;
  Fields inner(fields.report(), *dag, kDag, fields.where() + ".dag");
  definition.target = inner.text("target");
  definition.fail_fast = inner.boolean("failFast", true);
  for (const yaml::Node& task : inner.list("tasks"))
    definition.tasks.push_back(read_step(task, true, step_name(fields.where() + ".tasks", task), fields.report()));
}

void read_container_set(Fields& fields, Template& definition) {
  const yaml::Node* node = fields.mapping("containerSet");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kContainerSet, fields.where() + ".containerSet");
  definition.containers = read_programs(inner, "containers", kSetContainer);
  definition.set_mounts = read_mounts(inner);
  definition.set_retry = read_retry(inner);
}

void read_http(Fields& fields, Template& definition) {
  const yaml::Node* node = fields.mapping("http");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kHttp, fields.where() + ".http");
  HttpSpec& http = definition.http;
  http.url = inner.text("url");
  http.method = inner.text("method");
  http.body = inner.text("body");
  http.timeout = inner.integer("timeoutSeconds");
  http.insecure = inner.boolean("insecureSkipVerify", false);
  http.success_condition = inner.text("successCondition");
  if (http.success_condition && http.success_condition->text.empty()) http.success_condition.reset();
  if (const yaml::Node* from = inner.mapping("bodyFrom")) {
    // Bytes, as JSON writes them: base64.
    if (auto bytes = Fields(fields.report(), *from, kBodyFrom, inner.where() + ".bodyFrom").text("bytes")) {
      if (auto decoded = from_base64(bytes->text)) bytes->text = std::move(*decoded);
      http.body = std::move(bytes);
    }
  }
  const std::vector<yaml::Node>& headers = inner.list("headers");
  for (std::size_t index = 0; index < headers.size(); ++index) {
    const std::string where = fmt::format("{}.headers[{}]", inner.where(), index);
    Fields header(fields.report(), headers[index], kHttpHeader, where);
    HttpSpec::Header& read = http.headers.emplace_back();
    read.name = header.text("name").value_or(Scalar{"", headers[index].mark});
    read.value = header.any_text("value").value_or(Scalar{"", headers[index].mark});
    if (const yaml::Node* from = header.mapping("valueFrom")) {
      Fields source(fields.report(), *from, kHeaderValue, where + ".valueFrom");
      if (auto secret = read_selector(source, "secretKeyRef")) read.value = std::move(*secret);
    }
  }
}

void read_data(Fields& fields, Template& definition) {
  const yaml::Node* node = fields.mapping("data");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kData, fields.where() + ".data");
  if (const yaml::Node* source = inner.mapping("source")) {
    Fields paths(fields.report(), *source, kDataSource, inner.where() + ".source");
    if (const yaml::Node* artifact = paths.mapping("artifactPaths"))
      definition.data.source = read_artifact(*artifact, paths.where() + ".artifactPaths", fields.report());
  }
  const std::vector<yaml::Node>& steps = inner.list("transformation");
  for (std::size_t index = 0; index < steps.size(); ++index) {
    Fields step(fields.report(), steps[index], kTransformation,
                fmt::format("{}.transformation[{}]", inner.where(), index));
    if (auto expression = step.text("expression")) definition.data.transformations.push_back(std::move(*expression));
  }
}

void read_resource(Fields& fields, Template& definition) {
  const yaml::Node* node = fields.mapping("resource");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kResource, fields.where() + ".resource");
  ResourceSpec& resource = definition.resource;
  resource.action = inner.text("action");
  resource.manifest = inner.text("manifest");
  if (resource.manifest && resource.manifest->text.empty()) resource.manifest.reset();
  resource.success_condition = inner.text("successCondition");
  resource.failure_condition = inner.text("failureCondition");
  for (auto* condition : {&resource.success_condition, &resource.failure_condition})
    if (*condition && (*condition)->text.empty()) condition->reset();
  resource.merge_strategy = inner.text("mergeStrategy");
  resource.flags = inner.any_texts("flags");
  resource.owned = inner.boolean("setOwnerReference", false);
  if (const yaml::Node* from = inner.mapping("manifestFrom")) {
    Fields source(fields.report(), *from, kManifestFrom, inner.where() + ".manifestFrom");
    if (const yaml::Node* artifact = source.mapping("artifact"))
      resource.manifest_from = read_artifact(*artifact, source.where() + ".artifact", fields.report());
  }
}

void read_archive_location(Fields& fields, Template& definition) {
  const yaml::Node* node = fields.mapping("archiveLocation");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kArchiveLocation, fields.where() + ".archiveLocation");
  if (inner.find("archiveLogs") != nullptr) definition.archive_logs = inner.boolean("archiveLogs", false);
  definition.archive_place = read_place(inner);
}

// What surrounds the body, whatever it is.
void read_surroundings(Fields& fields, Template& definition) {
  definition.daemon = fields.boolean("daemon", false);
  definition.deadline = fields.any_text("activeDeadlineSeconds");
  definition.timeout = fields.any_text("timeout");
  definition.pending_timeout = fields.any_text("pendingTimeout");
  definition.parallelism = fields.any_text("parallelism");
  definition.pod_patch = fields.text("podSpecPatch");
  for (auto* text : {&definition.deadline, &definition.timeout, &definition.pending_timeout, &definition.parallelism,
                     &definition.pod_patch})
    if (*text && (*text)->text.empty()) text->reset();
  definition.fail_at_once = fields.boolean("failFast", false);
  definition.retry = read_retry(fields);
  definition.locks = read_locks(fields);
  definition.memo = read_memo(fields);
  definition.volumes = read_volumes(fields);
  definition.initial = read_programs(fields, "initContainers", kUserContainer);
  definition.sidecars = read_programs(fields, "sidecars", kUserContainer);
  if (const yaml::Node* notes = fields.mapping("annotations"))
    if (const yaml::Node* display = notes->find("workflows.argoproj.io/display-name");
        display != nullptr && display->is_scalar())
      definition.display = Scalar{display->text, display->mark};
  definition.resource_claims = fields.gives("resourceClaims");
  if (const yaml::Node* resources = fields.mapping("podResources")) definition.pod_resources = *resources;
  if (const yaml::Node* metrics = fields.mapping("metrics")) definition.metrics = *metrics;
  if (const yaml::Node* security = fields.mapping("securityContext"))
    definition.as_root =
        Fields(fields.report(), *security, kSecurity, fields.where() + ".securityContext").integer("runAsUser") == 0;
}

}  // namespace

Template read_template(const yaml::Node& node, const std::string& where, Report& report) {
  Template definition;
  definition.mark = definition.program.mark = node.mark;
  definition.name = Scalar{"", node.mark};
  Fields fields(report, node, kTemplate, where);
  if (auto name = fields.text("name")) definition.name = std::move(*name);

  for (const auto& [key, kind] : kTypes) {
    if (fields.find(key) == nullptr) continue;
    if (++definition.types == 1) definition.kind = kind;
  }
  if (definition.types == 0 && node.is_mapping())
    report.error(node.mark, where +
                                ": template type unspecified; it needs one of container, script, steps, dag, "
                                "containerSet, suspend, http, data and resource");
  if (definition.types > 1) report.error(node.mark, where + ": multiple template types specified");

  definition.inputs = read_exchange(fields.mapping("inputs"), Side::inputs, where + ".inputs", report);
  definition.outputs = read_exchange(fields.mapping("outputs"), Side::outputs, where + ".outputs", report);
  read_surroundings(fields, definition);
  read_archive_location(fields, definition);
  if (const yaml::Node* program = fields.mapping("container"))
    definition.program = read_program(*program, kContainer, where + ".container", report);
  if (const yaml::Node* program = fields.mapping("script"))
    definition.program = read_program(*program, kScript, where + ".script", report);
  if (const yaml::Node* suspend = fields.mapping("suspend")) {
    definition.duration = Fields(report, *suspend, kSuspend, where + ".suspend").any_text("duration");
    if (definition.duration && definition.duration->text.empty()) definition.duration.reset();
  }
  read_container_set(fields, definition);
  read_http(fields, definition);
  read_data(fields, definition);
  read_resource(fields, definition);
  read_stages(fields, definition);
  read_dag(fields, definition);
  return definition;
}

}  // namespace kist::dialect::argo
