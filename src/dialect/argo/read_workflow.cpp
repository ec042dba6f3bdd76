#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/follow.hpp"
#include "dialect/argo/merge.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

void set_pair(Pairs& pairs, std::string_view name, std::string value) {
  auto found = std::ranges::find(pairs, name, &Pairs::value_type::first);
  if (found == pairs.end())
    pairs.emplace_back(name, std::move(value));
  else
    found->second = std::move(value);
}

void read_map(Fields& fields, std::string_view key, Pairs& all) {
  if (const yaml::Node* map = fields.mapping(key))
    for (const auto& [name, value] : map->entries)
      if (value.is_scalar()) set_pair(all, name.text, value.text);
}

// A matter of the cluster that texts may speak of; never wrong.
std::optional<Scalar> read_plain(const Fields& fields, std::string_view key) {
  const yaml::Node* value = fields.find(key);
  if (value == nullptr || !value->is_scalar()) return std::nullopt;
  return Scalar{value->text, value->mark};
}

void read_metadata(const yaml::Node& node, Report& report, Spec& spec) {
  Fields fields(report, node, kMetadata, "metadata");
  spec.name = fields.text("name");
  spec.generate_name = fields.text("generateName");
  spec.name_space = fields.text("namespace");
  read_map(fields, "labels", spec.labels);
  read_map(fields, "annotations", spec.annotations);
}

// What the spec puts on the workflow. Texts, as all of a spec; a cron workflow's are the workflow's own metadata.
void read_workflow_metadata(Fields& fields, bool of_cron, Spec& spec) {
  const yaml::Node* node = fields.mapping("workflowMetadata");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kWorkflowMetadata, fields.where() + ".workflowMetadata");
  read_map(inner, "labels", of_cron ? spec.labels : spec.given_labels);
  read_map(inner, "annotations", of_cron ? spec.annotations : spec.given_annotations);
  if (const yaml::Node* from = inner.mapping("labelsFrom")) {
    for (const auto& [name, value] : from->entries) {
      Fields source(fields.report(), value, kLabelFrom, fmt::format("{}.labelsFrom.{}", inner.where(), name.text));
      if (auto expression = source.text("expression")) spec.labels_from.emplace_back(name.text, std::move(*expression));
    }
  }
}

void read_repository_ref(Fields& fields, Spec& spec) {
  const yaml::Node* node = fields.mapping("artifactRepositoryRef");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kRepositoryRef, fields.where() + ".artifactRepositoryRef");
  spec.repository_map = inner.text("configMap").value_or(Scalar{"artifact-repositories", node->mark});
  spec.repository_key = inner.text("key");
}

void read_expiry(Fields& fields, Spec& spec) {
  const auto seconds = [](Fields& from, std::string_view key) {
    return from.integer(key).transform(
        [](std::int64_t count) { return std::chrono::seconds(std::clamp<std::int64_t>(count, INT32_MIN, INT32_MAX)); });
  };
  spec.expiry.after_any_end = seconds(fields, "ttlSecondsAfterFinished");
  const yaml::Node* node = fields.mapping("ttlStrategy");
  if (node == nullptr) return;
  Fields inner(fields.report(), *node, kExpiry, fields.where() + ".ttlStrategy");
  spec.expiry = {.after_success = seconds(inner, "secondsAfterSuccess"),
                 .after_failure = seconds(inner, "secondsAfterFailure"),
                 .after_any_end = seconds(inner, "secondsAfterCompletion")};
}

void read_spec(const yaml::Node& node, Report& report, Spec& spec) {
  Fields fields(report, node, kSpec, "spec");
  spec.mark = node.mark;
  spec.entrypoint = fields.text("entrypoint");
  spec.service_account = read_plain(fields, "serviceAccountName");
  spec.priority = fields.integer("priority");
  if (auto on_exit = fields.text("onExit"); on_exit && !on_exit->text.empty()) {
    spec.on_exit.emplace();
    spec.on_exit->dynamic = is_late(on_exit->text);
    spec.on_exit->name = std::move(on_exit);
    spec.on_exit->given = true;
  }
  spec.hooks = read_hooks(fields);
  spec.has_exit_handlers = spec.on_exit.has_value() || !spec.hooks.empty();
  spec.arguments = read_exchange(fields.mapping("arguments"), Side::arguments, "spec.arguments", report);
  spec.volumes = read_volumes(fields);
  spec.claims = read_claims(fields);
  spec.deadline = fields.any_text("activeDeadlineSeconds");
  spec.parallelism = fields.any_text("parallelism");
  spec.pod_patch = fields.text("podSpecPatch");
  spec.retry = read_retry(fields);
  spec.locks = read_locks(fields);
  spec.suspended = fields.boolean("suspend", false);
  read_expiry(fields, spec);
  if (const yaml::Node* collection = fields.mapping("volumeClaimGC"))
    spec.volume_collection = Fields(report, *collection, kVolumeClaimGc, "spec.volumeClaimGC").text("strategy");
  if (fields.find("archiveLogs") != nullptr) spec.archive_logs = fields.boolean("archiveLogs", false);
  if (const yaml::Node* collection = fields.mapping("artifactGC"))
    spec.collection = Fields(report, *collection, kArtifactGc, "spec.artifactGC").text("strategy");
  read_repository_ref(fields, spec);
  read_workflow_metadata(fields, false, spec);
  if (const yaml::Node* security = fields.mapping("securityContext"))
    spec.as_root = Fields(report, *security, kSecurity, "spec.securityContext").integer("runAsUser") == 0;
  if (const yaml::Node* collection = fields.mapping("podGC")) spec.pod_collection = *collection;
  if (const yaml::Node* resources = fields.mapping("podResources")) spec.pod_resources = *resources;
  if (const yaml::Node* metrics = fields.mapping("metrics")) spec.metrics = *metrics;
}

// What a cron workflow says of itself; its workflow's spec, or nullptr.
const yaml::Node* read_cron(Fields& document, Report& report, Spec& spec) {
  const yaml::Node* node = document.mapping("spec");
  if (node == nullptr) return nullptr;
  Fields fields(report, *node, kCronSpec, "spec");
  spec.schedules = fields.texts("schedules");
  if (auto one = fields.text("schedule"); one && !one->text.empty()) spec.schedules.push_back(std::move(*one));
  spec.timezone = fields.text("timezone");
  const auto if_any = [](std::optional<Scalar> text) {
    return text && !text->text.empty() ? std::move(text) : std::nullopt;
  };
  spec.cron.condition = if_any(fields.text("when"));
  spec.cron.concurrency = if_any(fields.text("concurrencyPolicy"));
  if (const yaml::Node* stop = fields.mapping("stopStrategy"))
    spec.cron.stop = if_any(Fields(report, *stop, kStopStrategy, "spec.stopStrategy").text("expression"));
  spec.cron.keep_succeeded = fields.integer("successfulJobsHistoryLimit");
  spec.cron.keep_failed = fields.integer("failedJobsHistoryLimit");
  if (spec.schedules.empty())
    report.error(node->mark, "spec.schedules is required: when it is to be run (\"0 3 * * *\")");
  read_workflow_metadata(fields, true, spec);
  const yaml::Node* inner = fields.mapping("workflowSpec");
  if (inner == nullptr) report.error(node->mark, "spec.workflowSpec is required");
  return inner;
}

}  // namespace

std::vector<std::string> called_by(const Spec& spec, const Reference& called) {
  if (!called.dynamic) return {called.key};
  // Inline templates cannot be named.
  std::vector<std::string> keys;
  for (const Template& each : spec.templates)
    if (!each.name.text.empty() && may_be(called.key, each.key) && called.key.contains('/') == each.key.contains('/'))
      keys.push_back(each.key);
  return keys;
}

const Template* find_template(const Spec& spec, std::string_view key) {
  auto found = spec.index.find(key);
  return found == spec.index.end() ? nullptr : &spec.templates[found->second];
}

std::string where_of(const Template& definition) {
  return (definition.caller.empty() ? "" : definition.caller + " ") + "templates." +
         (definition.name.text.empty() ? definition.key : definition.name.text);
}

Spec read_workflow(const Document& document, const std::vector<Document>& documents, Report& report) {
  Spec spec;
  spec.mark = document.root.mark;
  spec.bare = document.form == Document::Form::bare || document.form == Document::Form::stored;
  if (document.form == Document::Form::library || document.form == Document::Form::cluster_library)
    spec.kind = Spec::Kind::library;
  const yaml::Node* written = nullptr;
  if (document.form == Document::Form::bare) {
    written = &document.root;
  } else {
    // With a kind it is known what is to be run, whatever else stands at the top.
    const Table table{spec.bare ? kOnepanelDocument.fields : kDocument.fields, !document.kind.empty()};
    Fields fields(report, document.root, table, "the workflow");
    if (const yaml::Node* metadata = spec.bare ? nullptr : fields.mapping("metadata"))
      read_metadata(*metadata, report, spec);
    if (document.form == Document::Form::cron) {
      spec.kind = Spec::Kind::cron;
      written = read_cron(fields, report, spec);
    } else {
      written = fields.mapping("spec");
    }
    if (written == nullptr) {
      if (fields.find("spec") == nullptr) report.error(document.root.mark, "spec is required");
      spec.other_spec = true;
    }
    if (!spec.bare && fields.find("kind") == nullptr)
      report.warning(document.root.mark, "kind is missing: taken for a Workflow");
  }
  if (written == nullptr) return spec;
  const Merged merged = merge_reference(*written, documents, report);
  spec.other_spec = merged.incomplete;
  read_spec(merged.spec, report, spec);
  follow_references(merged.spec, documents, report, spec);
  read_repositories(documents, report, spec);
  return spec;
}

}  // namespace kist::dialect::argo
