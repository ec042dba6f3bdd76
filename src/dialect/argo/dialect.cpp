#include "dialect/argo/dialect.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dialect/argo/check.hpp"
#include "dialect/argo/documents.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/wording.hpp"

namespace kist::dialect::argo {
namespace {

// Values given with the run take the place of those in the file.
void override_parameters(const std::vector<std::pair<std::string, std::string>>& given, Spec& spec, Report& report) {
  for (const auto& [name, value] : given) {
    auto found = std::ranges::find_if(spec.arguments.parameters,
                                      [&](const Parameter& parameter) { return parameter.name.text == name; });
    if (found != spec.arguments.parameters.end()) {
      found->value = Scalar{value, found->mark};
      found->overridden = true;
      continue;
    }
    std::vector<std::string_view> names;
    for (const Parameter& parameter : spec.arguments.parameters) names.push_back(parameter.name.text);
    report.error({}, names.empty()
                         ? fmt::format("there is no parameter '{}'; the workflow has none", name)
                         : fmt::format("there is no parameter '{}'; there is {}", name, fmt::join(names, ", ")));
  }
}

// What stands beside the workflow in its files and is not read.
std::vector<model::Notice> others(const std::vector<Document>& documents) {
  std::vector<model::Notice> notices;
  for (const Document& document : documents)
    if (!document.is_workflow())
      notices.push_back({model::Notice::Level::warning, document.origin(),
                         document.kind.empty() ? "this document is no workflow; it is passed over"
                                               : fmt::format("not supported yet: kind {}", document.kind)});
  return notices;
}

class ArgoDialect final : public model::Dialect {
 public:
  std::string_view name() const override { return "argo"; }

  // Argo has no place for workflow files in a project: they are run by their names.
  std::vector<std::filesystem::path> project_files(const std::filesystem::path&) const override { return {}; }

  bool recognises(const std::filesystem::path&, std::string_view text) const override { return is_workflow_file(text); }

  Result<std::vector<model::WorkflowSummary>> workflows(const std::vector<model::SourceText>& files) const override {
    KIST_TRY_ASSIGN(std::vector<Document> documents, read_documents(files));
    std::vector<model::WorkflowSummary> all;
    for (const Document& document : documents)
      if (document.is_workflow()) all.push_back({document.name, document.help, document.origin()});
    return all;
  }

  Result<model::Lowered> lower(const model::RunRequest& request) const override {
    KIST_TRY_ASSIGN(std::vector<Document> documents, read_documents(request.files));
    KIST_TRY_ASSIGN(const Document* document, choose(documents, request.workflow));
    if (!request.arguments.empty())
      return fail(ErrorKind::invalid,
                  fmt::format("unexpected '{}': what a workflow of Argo is given are parameters, `-p "
                              "NAME=VALUE`",
                              request.arguments.front()));
    Report report(document->file);
    Spec spec = read_workflow(*document, report);
    override_parameters(request.parameters, spec, report);
    Graphs graphs;
    for (const Template& each : spec.templates) {
      report.enter(each.name.text);
      if (each.kind == Template::Kind::dag) graphs.emplace(&each, make_graph(each, report));
    }
    report.enter("");
    check_names(spec, report);
    check_contents(spec, report);
    check_calls(spec, report);
    check_references(spec, graphs, report);

    const TemplateNames used = reached_templates(spec, graphs);
    model::Lowered lowered;
    KIST_TRY_ASSIGN(lowered.notices, report.finish(used));
    std::ranges::move(others(documents), std::back_inserter(lowered.notices));
    lowered.workflow = lower_workflow(spec, graphs, used, document->name, report);
    if (request.name) lowered.workflow.naming = {model::RunNaming::Kind::given, *request.name};
    return lowered;
  }

  const model::Wording& wording() const override { return wording_; }

 private:
  ArgoWording wording_;
};

}  // namespace

const model::Dialect& dialect() {
  static const ArgoDialect argo;
  return argo;
}

}  // namespace kist::dialect::argo
