#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/read.hpp"

namespace kist::dialect::argo {
namespace {

std::vector<std::pair<std::string, std::string>> read_map(Fields& fields, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> all;
  if (const yaml::Node* map = fields.mapping(key))
    for (const auto& [name, value] : map->entries)
      if (value.is_scalar()) all.emplace_back(name.text, value.text);
  return all;
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
  spec.labels = read_map(fields, "labels");
  spec.annotations = read_map(fields, "annotations");
}

void read_spec(const yaml::Node& node, Report& report, Spec& spec) {
  Fields fields(report, node, kSpec, "spec");
  spec.mark = node.mark;
  spec.entrypoint = fields.text("entrypoint");
  spec.service_account = read_plain(fields, "serviceAccountName");
  spec.priority = read_plain(fields, "priority");
  spec.other_spec = fields.gives("workflowTemplateRef");
  spec.has_defaults = fields.gives("templateDefaults");
  spec.has_exit_handlers = fields.gives("onExit") || fields.gives("hooks");
  spec.arguments = read_exchange(fields.mapping("arguments"), Side::arguments, "spec.arguments", report);
  const std::vector<yaml::Node>& templates = fields.list("templates");
  for (std::size_t index = 0; index < templates.size(); ++index) {
    spec.templates.push_back(read_template(templates[index], index, report));
    report.enter("");
    spec.index.emplace(spec.templates.back().name.text, index);
    for_each_step(spec.templates.back(),
                  [&](const StepSpec& step, const std::string&) { spec.has_exit_handlers |= step.has_exit_handlers; });
  }
}

}  // namespace

const Template* find_template(const Spec& spec, std::string_view name) {
  auto found = spec.index.find(name);
  return found == spec.index.end() ? nullptr : &spec.templates[found->second];
}

Spec read_workflow(const Document& document, Report& report) {
  Spec spec;
  spec.mark = document.root.mark;
  if (document.form == Document::Form::bare) {
    spec.bare = true;
    read_spec(document.root, report, spec);
    return spec;
  }
  spec.bare = document.form == Document::Form::stored;
  Fields fields(report, document.root, spec.bare ? kOnepanelDocument : kDocument, "the workflow");
  if (const yaml::Node* metadata = spec.bare ? nullptr : fields.mapping("metadata"))
    read_metadata(*metadata, report, spec);
  if (const yaml::Node* inner = fields.mapping("spec")) {
    read_spec(*inner, report, spec);
  } else {
    if (fields.find("spec") == nullptr) report.error(document.root.mark, "spec is required");
    spec.other_spec = true;
  }
  if (!spec.bare && fields.find("kind") == nullptr)
    report.warning(document.root.mark, "kind is missing: taken for a Workflow");
  return spec;
}

}  // namespace kist::dialect::argo
