// What a document is, is told by its shape: a kind where it has one; else the keys of a spec, at the top (Onepanel's
// bare form) or below `spec` (a Workflow whose kind was left out, or Onepanel's stored form, whose metadata names it).
#include "dialect/argo/documents.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "dialect/argo/names.hpp"

namespace kist::dialect::argo {

std::string_view text_at(const yaml::Node& node, std::initializer_list<std::string_view> keys) {
  const yaml::Node* at = &node;
  for (std::string_view key : keys) {
    at = at->is_mapping() ? at->find(key) : nullptr;
    if (at == nullptr) return "";
  }
  return at->is_scalar() ? std::string_view(at->text) : "";
}

namespace {

constexpr std::string_view kGroup = "argoproj.io/";

bool is_spec(const yaml::Node& node) {
  if (!node.is_mapping()) return false;
  const yaml::Node* templates = node.find("templates");
  return node.find("entrypoint") != nullptr || (templates != nullptr && templates->is_sequence());
}

Document::Form form_of_kind(std::string_view kind, std::string_view version) {
  if (version.empty() || version.starts_with(kGroup)) {
    if (kind == "Workflow") return Document::Form::workflow;
    if (kind == "WorkflowTemplate") return Document::Form::library;
    if (kind == "ClusterWorkflowTemplate") return Document::Form::cluster_library;
    if (kind == "CronWorkflow") return Document::Form::cron;
  }
  if (version.empty() || version == "v1") {
    if (kind == "ConfigMap") return Document::Form::config_map;
    if (kind == "Secret") return Document::Form::secret;
    if (kind == "PersistentVolumeClaim") return Document::Form::claim;
  }
  return Document::Form::other;
}

Document::Form form_of(const yaml::Node& root) {
  if (!root.is_mapping()) return Document::Form::other;
  if (root.find("kind") != nullptr) return form_of_kind(text_at(root, {"kind"}), text_at(root, {"apiVersion"}));
  if (is_spec(root)) return Document::Form::bare;
  const yaml::Node* spec = root.find("spec");
  const bool runs = spec != nullptr && (is_spec(*spec) || spec->find("workflowTemplateRef") != nullptr);
  if (!runs) return Document::Form::other;
  const std::string_view stored = text_at(root, {"metadata", "kind"});
  if (stored.empty()) return Document::Form::workflow;
  return stored == "Workflow" ? Document::Form::stored : Document::Form::other;
}

void number(yaml::Node& node, int source) {
  node.mark.source = source;
  for (yaml::Node& item : node.items) number(item, source);
  for (auto& [key, value] : node.entries) {
    number(key, source);
    number(value, source);
  }
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

std::string name_of(const yaml::Node& root, std::string_view file) {
  for (std::string_view key : {"name", "generateName"}) {
    std::string_view name = text_at(root, {"metadata", key});
    while (name.ends_with('-')) name.remove_suffix(1);
    if (!name.empty()) return std::string(name);
  }
  return name_of_file(file);
}

Document make_document(yaml::Node root, const std::string& file) {
  Document document;
  document.form = form_of(root);
  document.file = file;
  document.kind = text_at(root, {"kind"});
  document.name = name_of(root, file);
  for (std::string_view key : {"workflows.argoproj.io/title", "workflows.argoproj.io/description"})
    if (document.help.empty()) document.help = first_line(text_at(root, {"metadata", "annotations", key}));
  document.root = std::move(root);
  return document;
}

std::string names_of(const std::vector<const Document*>& workflows) {
  std::vector<std::string> names;
  for (const Document* workflow : workflows) names.push_back(workflow->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string name_of_file(std::string_view file) {
  std::string name = object_name(std::filesystem::path(file).stem().string());
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return name;
}

Result<std::vector<yaml::Node>> parse_documents(std::string_view text, std::string_view name) {
  // As Go reads them: where a key is there twice, the last counts.
  return yaml::parse(text, name, {.duplicate_keys = true});
}

const yaml::Node* items_of_list(const yaml::Node& root) {
  const yaml::Node* items = text_at(root, {"kind"}) == "List" ? root.find("items") : nullptr;
  return items != nullptr && items->is_sequence() ? items : nullptr;
}

Result<std::vector<Document>> read_documents(const std::vector<model::SourceText>& files,
                                             const std::vector<model::SourceText>& library) {
  std::vector<Document> documents;
  int source = 0;
  for (const auto* texts : {&files, &library}) {
    auto add = [&](auto self, yaml::Node root, const std::string& file, bool listed) -> void {
      if (root.is_null()) return;
      if (const yaml::Node* items = items_of_list(root)) {
        for (const yaml::Node& item : items->items) self(self, item, file, true);
        return;
      }
      documents.push_back(make_document(std::move(root), file));
      documents.back().supporting = texts == &library;
      documents.back().listed = listed;
    };
    for (const model::SourceText& file : *texts) {
      KIST_TRY_ASSIGN(auto roots, parse_documents(file.text, file.name));
      for (yaml::Node& root : roots) {
        if (source > 0) number(root, source);
        add(add, std::move(root), file.name, false);
      }
      ++source;
    }
  }
  return documents;
}

Result<const Document*> choose(const std::vector<Document>& documents, std::string_view name) {
  std::vector<const Document*> workflows;
  std::vector<const Document*> primary;
  for (const Document& document : documents) {
    if (document.is_workflow() && !document.supporting) workflows.push_back(&document);
    if (document.is_primary()) primary.push_back(&document);
  }

  if (workflows.empty()) {
    if (documents.empty()) return fail(ErrorKind::invalid, "expected a workflow, but there is nothing");
    const Document& first = documents.front();
    const std::string place = model::to_string(first.origin());
    if (first.kind.empty())
      return fail(ErrorKind::invalid, fmt::format("{}: expected a workflow: `kind: Workflow`, or `entrypoint` and "
                                                  "`templates` at the top (as Onepanel writes it)",
                                                  place));
    const std::string_view version = text_at(first.root, {"apiVersion"});
    if (first.kind == "Workflow")
      return fail(ErrorKind::invalid,
                  fmt::format("{}: apiVersion must be argoproj.io/v1alpha1, not '{}'", place, version));
    if (!version.empty() && !version.starts_with(kGroup))
      return fail(ErrorKind::invalid, fmt::format("{}: expected `kind: Workflow`, not {}", place, first.kind));
    return fail(ErrorKind::unsupported, fmt::format("{}: not supported yet: kind {}", place, first.kind));
  }

  while (name.ends_with('-')) name.remove_suffix(1);
  if (name.empty()) {
    if (primary.size() == 1) return primary.front();
    if (workflows.size() == 1) return workflows.front();
    return fail(ErrorKind::invalid,
                fmt::format("{}: there are several workflows, name one of them: {}",
                            model::to_string(workflows[1]->origin()), names_of(primary.empty() ? workflows : primary)));
  }
  // What is no template is meant rather than one of its name; of two of a kind nobody could say which.
  auto named = [&](const std::vector<const Document*>& all) { return std::ranges::find(all, name, &Document::name); };
  if (named(workflows) == workflows.end())
    return fail(ErrorKind::not_found, fmt::format("{}: there is no workflow '{}'; there is {}", workflows.front()->file,
                                                  name, names_of(workflows)));
  const Document* found = named(primary) != primary.end() ? *named(primary) : *named(workflows);
  for (const Document* each : workflows)
    if (each != found && each->name == name && each->form == found->form)
      return fail(ErrorKind::invalid,
                  fmt::format("{}: there is another {} '{}' at {}: give each a name of its own",
                              model::to_string(each->origin()), each->kind.empty() ? "workflow" : each->kind, name,
                              model::to_string(found->origin())));
  return found;
}

const Document* find_document(const std::vector<Document>& documents, Document::Form form, std::string_view name) {
  auto found = std::ranges::find_if(documents, [&](const Document& each) {
    return each.form == form && text_at(each.root, {"metadata", "name"}) == name;
  });
  return found == documents.end() ? nullptr : &*found;
}

std::vector<std::pair<std::string, std::string>> values_of(const Document& document) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const std::string_view part : {"data", "stringData", "binaryData"}) {
    const yaml::Node* map = document.root.find(part);
    if (map == nullptr || !map->is_mapping()) continue;
    const bool coded = part == "binaryData" || (part == "data" && document.form == Document::Form::secret);
    for (const auto& [key, value] : map->entries) {
      if (value.kind == yaml::Kind::sequence || value.is_mapping()) continue;
      std::string text = value.text;
      if (auto decoded = from_base64(text); coded && decoded) text = std::move(*decoded);
      values.emplace_back(key.text, std::move(text));
    }
  }
  return values;
}

std::optional<std::string> find_config(const std::vector<Document>& documents, std::string_view map,
                                       std::string_view key) {
  const Document* document = find_document(documents, Document::Form::config_map, map);
  if (document == nullptr) return std::nullopt;
  for (auto& [name, value] : values_of(*document))
    if (name == key) return std::move(value);
  return std::nullopt;
}

bool is_workflow_file(std::string_view text) {
  if (auto roots = yaml::parse(text, "", {.duplicate_keys = true})) {
    const auto is_one = [](const auto& self, const yaml::Node& root) -> bool {
      if (const yaml::Node* items = items_of_list(root))
        return std::ranges::any_of(items->items, [&](const yaml::Node& item) { return self(self, item); });
      return text_at(root, {"apiVersion"}).starts_with(kGroup) || form_of(root) != Document::Form::other;
    };
    return std::ranges::any_of(*roots, [&](const yaml::Node& root) { return is_one(is_one, root); });
  }
  // Malformed: lines at the left margin that only a workflow file has.
  bool entrypoint = false;
  bool templates = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.contains("apiVersion") && line.contains(kGroup)) return true;
    if (line.starts_with("kind:") && line.contains("Workflow")) return true;
    entrypoint |= line.starts_with("entrypoint:");
    templates |= line.starts_with("templates:");
  }
  return entrypoint && templates;
}

}  // namespace kist::dialect::argo
