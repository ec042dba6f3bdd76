#include "dialect/argo/dialect.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dialect/argo/check.hpp"
#include "dialect/argo/documents.hpp"
#include "dialect/argo/library.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/objects.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/settle.hpp"
#include "dialect/argo/wording.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kPause = "pause";
constexpr std::string_view kFailedArtifacts = "failed-artifacts";
constexpr std::string_view kKeep = "keep";
constexpr std::string_view kDrop = "drop";

// Whether a reference stands in a text, and not as the beginning of a longer name.
bool speaks_of(std::string_view text, std::string_view reference) {
  for (std::size_t at = text.find(reference); at != std::string_view::npos; at = text.find(reference, at + 1)) {
    const std::size_t end = at + reference.size();
    const auto next = end < text.size() ? static_cast<unsigned char>(text[end]) : '\0';
    if (std::isalnum(next) == 0 && next != '-' && next != '_') return true;
  }
  return false;
}

// Argo adds any parameter that it is given. Here it must be one that the files speak of, so that a slip is told.
bool is_asked_for(const std::string& name, const model::RunRequest& request, const Spec& spec) {
  const Template* entry = find_template(spec, spec.entry_key);
  if (entry != nullptr &&
      std::ranges::any_of(entry->inputs.parameters, [&](const Parameter& input) { return input.name.text == name; }))
    return true;
  const auto speaks = [&](const model::SourceText& file) {
    return speaks_of(file.text, fmt::format("workflow.parameters.{}", name)) ||
           file.text.contains(fmt::format("workflow.parameters['{}']", name)) ||
           file.text.contains(fmt::format("workflow.parameters[\"{}\"]", name));
  };
  return std::ranges::any_of(request.files, speaks) || std::ranges::any_of(request.library, speaks);
}

// Values given with the run take the place of those in the file.
void override_parameters(const model::RunRequest& request, Spec& spec, Report& report) {
  for (const auto& [name, value] : request.parameters) {
    auto found = std::ranges::find_if(spec.arguments.parameters,
                                      [&](const Parameter& parameter) { return parameter.name.text == name; });
    if (found != spec.arguments.parameters.end()) {
      found->value = Scalar{value, found->mark};
      found->overridden = true;
      continue;
    }
    if (is_asked_for(name, request, spec)) {
      Parameter& added = spec.arguments.parameters.emplace_back();
      added.name = Scalar{name, {}};
      added.value = Scalar{value, {}};
      added.overridden = true;
      continue;
    }
    std::vector<std::string_view> names;
    for (const Parameter& parameter : spec.arguments.parameters) names.push_back(parameter.name.text);
    report.error({}, names.empty()
                         ? fmt::format("there is no parameter '{}'; the workflow has none", name)
                         : fmt::format("there is no parameter '{}'; there is {}", name, fmt::join(names, ", ")));
  }
}

// Variables given with the run are there in every container, whatever the file says of them.
void add_environment(const std::vector<std::pair<std::string, std::string>>& given, model::Workflow& workflow) {
  if (given.empty()) return;
  for (auto& [name, definition] : workflow.definitions) {
    auto* task = std::get_if<model::Task>(&definition.body);
    if (task == nullptr) continue;
    const auto is_given = [&](const model::EnvironmentVariable& variable) {
      return std::ranges::any_of(given, [&](const auto& pair) { return pair.first == variable.name; });
    };
    for (model::Action& action : task->actions)
      if (auto* run = std::get_if<model::Run>(&action.what)) std::erase_if(run->environment, is_given);
    for (model::Container& container : task->containers) {
      std::erase_if(container.environment, is_given);
      for (const auto& [variable, value] : given)
        container.environment.push_back({variable, model::Text::literal(value)});
    }
  }
}

// What stands beside the workflow in its files and is not read.
std::vector<model::Notice> others(const std::vector<Document>& documents) {
  std::vector<model::Notice> notices;
  for (const Document& document : documents)
    if (document.form == Document::Form::other && !document.supporting)
      notices.push_back({model::Notice::Level::warning, document.origin(),
                         document.kind.empty() ? "this document is no workflow; it is passed over"
                                               : fmt::format("not supported yet: kind {}", document.kind)});
  return notices;
}

std::string_view kind_text(Document::Form form) {
  switch (form) {
    case Document::Form::library:
      return "workflow template";
    case Document::Form::cluster_library:
      return "cluster workflow template";
    case Document::Form::cron:
      return "cron workflow";
    default:
      return "workflow";
  }
}

std::vector<std::string> names_of(const model::RunRequest& request) {
  std::vector<std::string> names;
  for (const auto* texts : {&request.files, &request.library})
    for (const model::SourceText& text : *texts) names.push_back(text.name);
  return names;
}

// The last one given counts.
Result<bool> is_to_drop_failed(const model::RunRequest& request) {
  bool drops = false;
  for (const auto& [name, value] : request.options) {
    if (name != kFailedArtifacts) continue;
    if (value != kKeep && value != kDrop)
      return fail(ErrorKind::invalid,
                  fmt::format("--{} must be '{}' or '{}', not '{}'", kFailedArtifacts, kKeep, kDrop, value));
    drops = value == kDrop;
  }
  return drops;
}

// `to_run`: a run is asked for; else it is only looked at.
Result<model::Lowered> lower_request(const model::RunRequest& request, bool to_run) {
  KIST_TRY_ASSIGN(std::vector<Document> documents, read_documents(request.files, request.library));
  KIST_TRY_ASSIGN(const Document* document, choose(documents, request.workflow));
  if (!request.arguments.empty())
    return fail(ErrorKind::invalid, fmt::format("unexpected '{}': what a workflow of Argo is given are parameters, `-p "
                                                "NAME=VALUE`",
                                                request.arguments.front()));
  KIST_TRY_ASSIGN(const bool drops_failed, is_to_drop_failed(request));
  Report report(names_of(request));
  Spec spec = read_workflow(*document, documents, report);
  spec.pauses = std::ranges::any_of(request.options, [](const auto& option) { return option.first == kPause; });
  spec.drops_failed = drops_failed;
  override_parameters(request, spec, report);
  settle(documents, report, spec);
  Graphs graphs;
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    if (each.kind == Template::Kind::dag) graphs.emplace(&each, make_graph(each, report));
  }
  report.enter("");
  check_names(spec, kind_text(document->form), report);
  check_contents(spec, to_run, report);
  check_policies(spec, report);
  check_calls(spec, to_run, report);
  check_references(spec, graphs, to_run, report);

  const TemplateNames used = reached_templates(spec, graphs);
  model::Lowered lowered;
  KIST_TRY_ASSIGN(lowered.notices, report.finish(used, to_run));
  std::ranges::move(others(documents), std::back_inserter(lowered.notices));
  lowered.workflow = lower_workflow(spec, graphs, used, document->name, report);
  if (request.name) lowered.workflow.naming = {model::RunNaming::Kind::given, *request.name};
  add_environment(request.environment, lowered.workflow);
  return lowered;
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
      if (document.is_workflow())
        all.push_back({document.name, document.help, document.origin(), document.is_primary()});
    return all;
  }

  Result<model::Lowered> lower(const model::RunRequest& request) const override { return lower_request(request, true); }

  std::vector<Flag> run_flags() const override {
    return {{.name = std::string(kPause),
             .short_name = "",
             .help = fmt::format("hold processes whose variables say {} or {}", kPauseBefore, kPauseAfter),
             .takes_value = false},
            {.name = std::string(kFailedArtifacts),
             .short_name = "",
             .help = fmt::format("'{}' (the default) or '{}' output artifacts of steps that fail or are stopped", kKeep,
                                 kDrop)}};
  }

  Result<model::Lowered> check(const model::RunRequest& request) const override {
    return lower_request(request, false);
  }

  bool takes_further_files() const override { return true; }

  bool is_complete(const model::RunRequest& request) const override { return has_all(request); }

  std::vector<model::SourceText> library_for(const model::RunRequest& request,
                                             const std::vector<model::SourceText>& candidates,
                                             bool implied) const override {
    return find_library(request, candidates, implied);
  }

  std::vector<model::SourceText> seen_later(const model::RunRequest& request,
                                            const std::vector<model::SourceText>& written) const override {
    return find_written_maps(request, written);
  }

  Result<std::vector<Kept>> kept_documents(const model::SourceText& file) const override { return split_kept(file); }

  Result<std::string> without_secrets(const model::SourceText& file) const override { return blank_secrets(file); }

  Result<std::string> act_on_object(const model::ObjectRequest& request, model::Objects& objects) const override {
    return argo::act_on_object(request, objects);
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
