#include "dialect/circleci/config.hpp"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

namespace kist::dialect::circleci {
namespace {

using model::Field;

// What stands between `<<` and `>>` where it is a reference and no here-document, and what it refers to.
struct Scope {
  std::string_view prefix;
  std::string_view thing;
};
constexpr Scope kScopes[] = {{"pipeline.", "pipeline values"}, {"matrix.", "matrix"}, {"parameters.", "parameters"}};

struct Reference {
  std::string_view written;  // "<< parameters.x >>"
  std::string_view thing;
};

// The first `<< … >>` of a text that refers to something.
std::optional<Reference> find_reference(std::string_view text) {
  for (std::size_t close = text.find(">>"); close != std::string_view::npos; close = text.find(">>")) {
    std::string_view before = text.substr(0, close);
    before.remove_prefix(before.rfind('\n') + 1);  // a reference is in one line
    std::size_t open = before.rfind("<<");
    if (open != std::string_view::npos && (open == 0 || before[open - 1] != '\\')) {
      std::string_view reference = text.substr(close - before.size() + open, before.size() - open + 2);
      for (const Scope& scope : kScopes)
        if (reference.find(scope.prefix) != std::string_view::npos) return Reference{reference, scope.thing};
    }
    text.remove_prefix(close + 2);
  }
  return std::nullopt;
}

}  // namespace

const yaml::Node* Config::part(std::string_view name) const {
  const yaml::Node* node = document.find(name);
  return node != nullptr && node->is_mapping() ? node : nullptr;
}

std::string Config::shown_jobs() const {
  constexpr std::size_t kMostShown = 20;
  if (jobs() == nullptr || jobs()->entries.empty()) return "";
  std::vector<std::string_view> names;
  for (const auto& [key, value] : jobs()->entries | std::views::take(kMostShown)) names.push_back(key.text);
  if (jobs()->entries.size() > kMostShown) names.emplace_back("…");
  return fmt::format("; there are: {}", fmt::join(names, ", "));
}

bool Config::defines(std::string_view part_name, std::string_view name) const {
  const yaml::Node* node = part(part_name);
  return node != nullptr && node->find(name) != nullptr;
}

Result<Config> parse_config(const std::vector<model::SourceText>& files) {
  if (files.empty()) return fail(ErrorKind::not_found, "there is no .circleci/config.yml");
  const model::SourceText& file = files.front();
  KIST_TRY_ASSIGN(std::vector<yaml::Node> documents, yaml::parse(file.text, file.name, {.duplicate_keys = true}));
  if (documents.empty()) return fail(ErrorKind::invalid, fmt::format("{}: the file is empty", file.name));
  Config config{.file = file.name, .document = std::move(documents.front())};
  auto wrong = [&](const yaml::Node& node, std::string_view text) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: {}", to_string(model::Origin{file.name, node.mark.line, node.mark.column}), text));
  };
  const yaml::Node& document = config.document;
  if (!document.is_mapping())
    return wrong(document, fmt::format("expected `version` and `jobs`, not {}", model::describe(document)));
  const yaml::Node* version = document.find("version");
  if (version == nullptr) return wrong(document, "expected the key `version` with 2 or 2.1");
  if (version->text == "2.1")
    config.has_parameters = true;
  else if (version->text != "2" && version->text != "2.0")
    return wrong(*version, fmt::format("version: expected 2, 2.0 or 2.1, not {}", model::describe(*version)));
  for (std::string_view name : {"jobs", "workflows"})
    if (const yaml::Node* node = document.find(name); node != nullptr && !node->is_mapping() && !node->is_null())
      return wrong(*node,
                   fmt::format("{}: expected names and what they stand for, not {}", name, model::describe(*node)));
  return config;
}

void check_top_level(const Config& config, model::Notices& notices) {
  using enum Field::Kind;
  model::Reader reader(config.file, notices);
  reader.mapping(config.document, "a config",
                 {{.key = "version", .kind = accepted},
                  {.key = "jobs", .kind = accepted},
                  {.key = "workflows", .kind = accepted},
                  {.key = "description", .kind = accepted},
                  {.key = "display", .kind = accepted},
                  {.key = "examples", .kind = accepted},
                  {.key = "experimental", .kind = accepted},
                  {.key = "build_agent", .kind = accepted},
                  {.key = "setup", .kind = refused, .remark = "a config that makes another one"},
                  {.key = "orbs", .kind = later, .remark = "what does not use them runs"},
                  {.key = "commands", .kind = later, .remark = "what does not use them runs"},
                  {.key = "executors", .kind = later, .remark = "what does not use them runs"},
                  {.key = "parameters", .kind = later, .remark = "what does not use them runs"},
                  {.key = "job-groups", .kind = later, .remark = "what does not use them runs"}},
                 [](const yaml::Node&, const yaml::Node&) {});  // any other key is where people keep their anchors
}

std::vector<WorkflowEntry> workflow_entries(const Config& config) {
  auto at = [&](const yaml::Node& node) { return model::Origin{config.file, node.mark.line, node.mark.column}; };
  std::vector<WorkflowEntry> entries;
  if (const yaml::Node* workflows = config.workflows()) {
    for (const auto& [key, value] : workflows->entries)
      if (key.text != "version") entries.push_back({key.text, at(key), &value});
    return entries;
  }
  if (const yaml::Node* jobs = config.jobs())
    for (const auto& [key, value] : jobs->entries)
      if (key.text == kImplicitJob) entries.push_back({key.text, at(key), nullptr});
  return entries;
}

std::optional<std::string> Texts::text(const yaml::Node& node, std::string_view name, std::string_view what) const {
  std::optional<std::string> text = reader_.text(node, name, what);
  if (!text || !has_parameters_) return text;
  if (auto reference = find_reference(*text)) {
    reader_.refuse(node, reference->thing, reference->written);
    return std::nullopt;
  }
  for (std::size_t at = text->find("\\<<"); at != std::string::npos; at = text->find("\\<<", at)) text->erase(at, 1);
  return text;
}

}  // namespace kist::dialect::circleci
