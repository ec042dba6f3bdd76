// Templates of other documents become templates of this spec, under a key with the document's name before theirs, and
// are read when somebody calls them: a library of hundreds of templates costs what is used of it. Each keeps the scope
// in which it names others.
#include "dialect/argo/follow.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/merge.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kDefaultMap = "artifact-repositories";
constexpr std::string_view kDefaultKey = "workflows.argoproj.io/default-artifact-repository";

Document::Form form_of(bool cluster) {
  return cluster ? Document::Form::cluster_library : Document::Form::library;
}

std::string_view kind_name(bool cluster) {
  return cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
}

void place_at(yaml::Node& node, yaml::Mark mark) {
  node.mark = mark;
  for (yaml::Node& item : node.items) place_at(item, mark);
  for (auto& [key, value] : node.entries) {
    place_at(key, mark);
    place_at(value, mark);
  }
}

class Follower {
 public:
  Follower(const std::vector<Document>& documents, Report& report, Spec& spec)
      : documents_(documents), report_(report), spec_(spec) {}

  void read_own(const yaml::Node& merged) {
    const yaml::Node* defaults = merged.find("templateDefaults");
    if (defaults != nullptr && defaults->is_mapping()) defaults_ = defaults;
    const yaml::Node* templates = merged.find("templates");
    if (templates == nullptr || templates->is_null()) return;
    if (!templates->is_sequence()) {
      report_.error(templates->mark, fmt::format("spec.templates must be a list, not {}", kind_of(*templates)));
      return;
    }
    for (std::size_t index = 0; index < templates->items.size(); ++index) {
      const yaml::Node& node = templates->items[index];
      const std::string name(text_at(node, {"name"}));
      add(node, name.empty() ? fmt::format("#{}", index) : name, "",
          name.empty() ? fmt::format("templates[{}]", index) : "templates." + name, defaults_);
    }
  }

  // What is called, and what that calls, and so on; the list grows while it is gone through.
  void follow_all() {
    if (spec_.on_exit) resolve(*spec_.on_exit, "", "spec.onExit");
    for (HookSpec& hook : spec_.hooks) resolve(hook.called, "", "spec.hooks." + hook.name.text);
    std::size_t index = 0;
    while (index < spec_.templates.size()) {
      // Taken out: adding to the list moves it.
      Template definition = std::move(spec_.templates[index]);
      report_.enter(definition.key);
      for_each_step(definition,
                    [&](StepSpec& step, const std::string& where) { resolve_step(definition, step, where); });
      spec_.templates[index++] = std::move(definition);
    }
    report_.enter("");
  }

 private:
  void add(const yaml::Node& node, std::string key, const std::string& scope, const std::string& where,
           const yaml::Node* defaults, const std::string& caller = "") {
    const std::string entered = report_.entered();
    report_.enter(key);
    Template definition = defaults == nullptr ? read_template(node, where, report_)
                                              : read_template(merge_defaults(*defaults, node), where, report_);
    report_.enter(entered);
    definition.caller = caller;
    add(std::move(definition), std::move(key), scope);
  }

  void add(Template definition, std::string key, const std::string& scope) {
    definition.key = key;
    definition.scope = scope;
    for_each_step(definition, [&](const StepSpec& step, const std::string&) {
      spec_.has_exit_handlers |= step.on_exit.has_value() || !step.hooks.empty();
    });
    spec_.index.emplace(std::move(key), spec_.templates.size());
    spec_.templates.push_back(std::move(definition));
  }

  void resolve_step(const Template& definition, StepSpec& step, const std::string& where) {
    if (step.inner) {
      step.called.key = fmt::format("{}.{}", definition.key, step.name.text);
      while (spec_.index.contains(step.called.key)) step.called.key += "'";
      add(std::move(*step.inner), step.called.key, definition.scope);
      step.inner.reset();
    } else {
      resolve(step.called, definition.scope, where);
    }
    if (step.on_exit) resolve(*step.on_exit, definition.scope, where + ".onExit");
    for (HookSpec& hook : step.hooks)
      resolve(hook.called, definition.scope, fmt::format("{}.hooks.{}", where, hook.name.text));
  }

  void resolve(Reference& called, const std::string& scope, const std::string& where) {
    if (!called.name || called.name->text.empty()) return;
    if (called.dynamic) return resolve_late(called, scope);
    if (!called.library) {
      const std::string key = scope + called.name->text;
      if (spec_.index.contains(key) || (!scope.empty() && load(scope, called.name->text, *called.name, where)))
        called.key = key;
      return;
    }
    const std::string library = fmt::format("{}{}/", called.cluster ? "cluster:" : "", called.library->text);
    if (!libraries_.contains(library)) {
      const Document* document = find_document(documents_, form_of(called.cluster), called.library->text);
      const yaml::Node* inner = document == nullptr ? nullptr : document->root.find("spec");
      if (inner == nullptr) {
        report_.error(called.library->mark,
                      fmt::format("{} template reference {}.{} not found: no {} of that name is known here: give its "
                                  "file too, or `kist apply` it",
                                  where, called.library->text, called.name->text, kind_name(called.cluster)));
        return;
      }
      libraries_.emplace(library, inner);
    }
    if (load(library, called.name->text, *called.name, where)) called.key = library + called.name->text;
  }

  // Its name is made when it is called: whatever may be meant is there then.
  void resolve_late(Reference& called, const std::string& scope) {
    const std::string library =
        called.library ? fmt::format("{}{}/", called.cluster ? "cluster:" : "", called.library->text) : scope;
    called.key = library + called.name->text;
    for (const Document& document : documents_) {
      if (library.empty()) break;
      const bool cluster = document.form == Document::Form::cluster_library;
      if (!cluster && document.form != Document::Form::library) continue;
      const std::string its = fmt::format("{}{}/", cluster ? "cluster:" : "", document.name);
      const yaml::Node* inner = document.root.find("spec");
      if (inner == nullptr || !inner->is_mapping() || !may_be(library, its)) continue;
      libraries_.emplace(its, inner);
      const yaml::Node* templates = inner->find("templates");
      if (templates == nullptr) continue;
      for (const yaml::Node& node : templates->items) {
        const std::string name(text_at(node, {"name"}));
        if (!name.empty() && may_be(called.name->text, name)) load(its, name, *called.name, "");
      }
    }
  }

  // One template of another document. Reports where there is none.
  bool load(const std::string& library, const std::string& name, const Scalar& named, const std::string& where) {
    const std::string key = library + name;
    if (spec_.index.contains(key)) return true;
    const yaml::Node& document = *libraries_.at(library);
    const yaml::Node* templates = document.is_mapping() ? document.find("templates") : nullptr;
    if (templates != nullptr) {
      for (const yaml::Node& node : templates->items) {
        if (text_at(node, {"name"}) != name) continue;
        const yaml::Node* defaults = document.find("templateDefaults");
        if (defaults != nullptr && defaults->is_mapping() && defaults_ != nullptr) {
          const yaml::Node both = merge(*defaults, *defaults_);
          add(node, key, library, "templates." + name, &both, where);
        } else {
          add(node, key, library, "templates." + name,
              defaults != nullptr && defaults->is_mapping() ? defaults : defaults_, where);
        }
        return true;
      }
    }
    report_.error(named.mark, fmt::format("{} template reference {}{} not found", where,
                                          library.substr(0, library.size() - 1) + ".", name));
    return false;
  }

  const std::vector<Document>& documents_;
  Report& report_;
  Spec& spec_;
  const yaml::Node* defaults_ = nullptr;
  std::map<std::string, const yaml::Node*> libraries_;
};

// The text of a repository in a config map, read as one.
void read_repository_text(const std::string& text, const std::string& where, yaml::Mark mark, Report& report,
                          Repository& repository) {
  auto roots = yaml::parse(text, where, {.duplicate_keys = true});
  if (!roots) {
    report.error(mark, fmt::format("{} is no YAML: {}", where, roots.error().text));
    return;
  }
  if (roots->empty() || roots->front().is_null()) return;
  place_at(roots->front(), mark);
  repository = read_repository(roots->front(), where, report);
}

}  // namespace

Merged merge_reference(const yaml::Node& spec, const std::vector<Document>& documents, Report& report) {
  const yaml::Node* reference = spec.is_mapping() ? spec.find("workflowTemplateRef") : nullptr;
  if (reference == nullptr || !reference->is_mapping()) return {spec, false};
  Fields fields(report, *reference, kTemplateRef, "spec.workflowTemplateRef");
  const auto name = fields.text("name");
  const bool cluster = fields.boolean("clusterScope", false);
  if (!name || name->text.empty()) {
    report.error(reference->mark, "spec.workflowTemplateRef.name is required");
    return {spec, true};
  }
  const Document* document = find_document(documents, form_of(cluster), name->text);
  const yaml::Node* base = document == nullptr ? nullptr : document->root.find("spec");
  if (base == nullptr) {
    report.error(name->mark,
                 fmt::format("spec.workflowTemplateRef: {} \"{}\" not found: give its file too, or `kist apply` it",
                             kind_name(cluster), name->text));
    return {spec, true};
  }
  if (const yaml::Node* templates = spec.find("templates"); templates != nullptr && !templates->items.empty())
    report.error(templates->mark,
                 "spec.templates is invalid field in spec if workflow referred WorkflowTemplate reference");
  return {merge(*base, spec), false};
}

void follow_references(const yaml::Node& merged, const std::vector<Document>& documents, Report& report, Spec& spec) {
  Follower follower(documents, report, spec);
  follower.read_own(merged);
  follower.follow_all();
  if (spec.entrypoint && spec.index.contains(spec.entrypoint->text)) spec.entry_key = spec.entrypoint->text;
}

void read_repositories(const std::vector<Document>& documents, Report& report, Spec& spec) {
  const std::string map = spec.repository_map ? spec.repository_map->text : std::string(kDefaultMap);
  const Document* document = find_document(documents, Document::Form::config_map, map);
  if (document == nullptr) {
    if (spec.repository_map)
      report.warning(
          spec.repository_map->mark,
          fmt::format("config map '{}' of spec.artifactRepositoryRef is not known here: artifacts are kept in "
                      "this home's own repository",
                      map));
    else if (auto text = find_config(documents, "workflow-controller-configmap", "artifactRepository"))
      read_repository_text(*text, "workflow-controller-configmap.artifactRepository", spec.mark, report,
                           spec.repository);
    return;
  }
  const std::string key = spec.repository_key
                              ? spec.repository_key->text
                              : std::string(text_at(document->root, {"metadata", "annotations", kDefaultKey}));
  const auto text = key.empty() ? std::nullopt : find_config(documents, map, key);
  if (text)
    read_repository_text(*text, fmt::format("{}.{}", map, key), document->root.mark, report, spec.repository);
  else if (spec.repository_map)
    report.error(spec.repository_map->mark,
                 key.empty() ? fmt::format("config map '{}' has no annotation {}: spec.artifactRepositoryRef.key is "
                                           "needed",
                                           map, kDefaultKey)
                             : fmt::format("config map '{}' has no key '{}'", map, key));
}

std::string lack_of_config(const std::vector<Document>& documents, const KeySelector& selector,
                           const std::string& where) {
  const bool known = find_document(documents, Document::Form::config_map, selector.name.text) != nullptr;
  return known ? fmt::format("{}: config map '{}' has no key '{}'", where, selector.name.text, selector.key.text)
               : fmt::format("{}: config map '{}' is not known here: give its file too, or `kist apply` it", where,
                             selector.name.text);
}

std::optional<std::string> need_config(const std::vector<Document>& documents, const KeySelector& selector,
                                       const std::string& where, Report& report) {
  auto value = find_config(documents, selector.name.text, selector.key.text);
  if (value || selector.optional) return value;
  report.lacking(selector.name.mark, lack_of_config(documents, selector, where));
  return std::nullopt;
}

}  // namespace kist::dialect::argo
