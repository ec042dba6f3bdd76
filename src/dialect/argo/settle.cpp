#include "dialect/argo/settle.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/follow.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kDatabaseLimits = "sync-limit";

class Settler {
 public:
  Settler(const std::vector<Document>& documents, Report& report, Spec& spec)
      : documents_(documents), report_(report), spec_(spec) {}

  void settle_all() {
    for (Parameter& parameter : spec_.arguments.parameters)
      settle_parameter(parameter, "spec.arguments." + parameter.name.text);
    // Names of config maps may be made of the workflow's own parameters.
    for (const Parameter& parameter : spec_.arguments.parameters)
      if (const auto& given = parameter.value ? parameter.value : parameter.fallback)
        known_["workflow.parameters." + parameter.name.text] = given->text;
    for (LockSpec& lock : spec_.locks) settle_lock(lock, "spec.synchronization");
    for (VolumeSpec& volume : spec_.volumes) settle_volume(volume, "spec.volumes." + volume.name.text);
    makes_maps_ = std::ranges::any_of(spec_.templates,
                                      [](const Template& each) { return each.kind == Template::Kind::resource; });
    for (Template& definition : spec_.templates) {
      report_.enter(definition.key);
      template_ = &definition;
      settle_template(definition);
    }
    report_.enter("");
  }

 private:
  KeySelector filled(const KeySelector& selector) const {
    KeySelector known = selector;
    known.name.text = fill_names(known.name.text, known_);
    known.key.text = fill_names(known.key.text, known_);
    return known;
  }

  // What a step of this workflow may make is lacking only if it is not there when its template is called.
  std::optional<std::string> need(const KeySelector& selector, const std::string& where) {
    if (template_ == nullptr || !makes_maps_) return need_config(documents_, selector, where, report_);
    auto value = find_config(documents_, selector.name.text, selector.key.text);
    if (!value && !selector.optional && template_->lacking.empty())
      template_->lacking = lack_of_config(documents_, selector, where);
    return value;
  }

  void settle_parameter(Parameter& parameter, const std::string& where) {
    if (!parameter.config) return;
    KeySelector selector = filled(*parameter.config);
    // A default stands in for what is not there.
    selector.optional |= parameter.absent.has_value() || parameter.fallback.has_value() || parameter.value.has_value();
    auto value = need(selector, where);
    if (value) {
      parameter.value = Scalar{std::move(*value), parameter.mark};
      parameter.overridden = true;
    } else if (!parameter.value && parameter.absent) {
      parameter.value = parameter.absent;
    }
  }

  // The workflow's parameters are all that names of tasks may be made of: who waits for whom is known before a run.
  void settle_task_names(StepSpec& task) {
    task.name.text = fill_names(task.name.text, known_);
    for (Scalar& name : task.dependencies) name.text = fill_names(name.text, known_);
    if (task.depends) task.depends->text = fill_names(task.depends->text, known_);
  }

  // What Argo reads from the table sync_limit of a database, a config map of that name says here. One holder is right
  // whatever the limit would be.
  void settle_database_lock(LockSpec& lock, const std::string& where) {
    lock.name.text = fill_names(lock.name.text, known_);
    auto holders = find_config(documents_, kDatabaseLimits, lock.name.text);
    if (!holders)
      report_.warning(
          lock.mark, fmt::format("{}: the limit of '{}' lies in a database of Argo: it is taken to be 1; say it as the "
                                 "key '{}' of a ConfigMap '{}'",
                                 where, lock.name.text, lock.name.text, kDatabaseLimits));
    lock.holders = holders.value_or("1");
  }

  void settle_lock(LockSpec& lock, const std::string& where) {
    if (lock.of_database) return settle_database_lock(lock, where);
    if (!lock.limit) return;
    const KeySelector selector = filled(*lock.limit);
    lock.limit = selector;
    if (auto holders = need_config(documents_, selector, where, report_)) lock.holders = std::move(*holders);
  }

  void settle_volume(VolumeSpec& volume, const std::string& where) {
    for (VolumeSpec::Part& part : volume.parts) {
      if (part.kind != VolumeSpec::Part::Kind::config) continue;
      const std::string name = fill_names(part.name.text, known_);
      const Document* map = find_document(documents_, Document::Form::config_map, name);
      if (map == nullptr) {
        if (!part.optional) need({Scalar{name, part.name.mark}, {}}, where);
        continue;
      }
      for (auto& [key, text] : values_of(*map)) {
        const auto item = std::ranges::find_if(part.items, [&](const auto& each) { return each.key.text == key; });
        if (part.items.empty())
          part.texts.emplace_back(key, std::move(text));
        else if (item != part.items.end())
          part.texts.emplace_back(item->path.text, std::move(text));
      }
    }
  }

  void settle_program(Program& program, const std::string& where) {
    for (Variable& variable : program.environment) {
      if (!variable.config) continue;
      if (auto value = need(filled(*variable.config), where)) {
        variable.value.text = std::move(*value);
        variable.literal = true;
      }
    }
    std::vector<Variable> first;
    for (const Variables& variables : program.environment_from) {
      if (!variables.config) continue;
      const std::string name = fill_names(variables.config->text, known_);
      const Document* map = find_document(documents_, Document::Form::config_map, name);
      if (map == nullptr) {
        if (!variables.optional) need({Scalar{name, variables.config->mark}, {}}, where);
        continue;
      }
      for (auto& [key, text] : values_of(*map)) {
        Variable& variable = first.emplace_back();
        variable.name = Scalar{variables.prefix + key, program.mark};
        variable.value = Scalar{std::move(text), program.mark};
        variable.literal = true;
      }
    }
    program.environment.insert(program.environment.begin(), std::make_move_iterator(first.begin()),
                               std::make_move_iterator(first.end()));
  }

  void settle_template(Template& definition) {
    const std::string where = where_of(definition);
    for (Parameter& parameter : definition.inputs.parameters)
      settle_parameter(parameter, fmt::format("{}.inputs.parameters.{}", where, parameter.name.text));
    for_each_step(definition, [&](StepSpec& step, const std::string& place) {
      for (Parameter& parameter : step.arguments.parameters)
        settle_parameter(parameter, fmt::format("{}.arguments.{}", place, parameter.name.text));
    });
    for (StepSpec& task : definition.tasks) settle_task_names(task);
    for (LockSpec& lock : definition.locks) settle_lock(lock, where + ".synchronization");
    for (VolumeSpec& volume : definition.volumes)
      settle_volume(volume, fmt::format("{}.volumes.{}", where, volume.name.text));
    for (const std::optional<Scalar>* patch : {&spec_.pod_patch, &definition.pod_patch})
      if (*patch) apply_patch(**patch, definition, where);
    if (is_task(definition.kind)) settle_program(definition.program, where);
    for (auto* programs : {&definition.containers, &definition.initial, &definition.sidecars})
      for (Program& program : *programs) settle_program(program, where);
  }

  // Of a patch for the pod only what matters here: a container's image, variables and amounts.
  void apply_patch(const Scalar& patch, Template& definition, const std::string& where) {
    if (!is_pod(definition.kind)) return;
    auto roots = yaml::parse(patch.text, "podSpecPatch", {.duplicate_keys = true});
    const yaml::Node* containers =
        roots && !roots->empty() && roots->front().is_mapping() ? roots->front().find("containers") : nullptr;
    if (!roots)
      report_.warning(patch.mark, where + ".podSpecPatch is no YAML before its references are filled: passed over");
    if (containers == nullptr || !containers->is_sequence()) return;
    for (const yaml::Node& item : containers->items) {
      Program* program = find_program(definition, text_at(item, {"name"}));
      if (program == nullptr) continue;
      // A report of its own: the rest of it is the cluster's.
      Report unheard({""});
      Program read = read_program(item, kContainer, where + ".podSpecPatch", unheard);
      if (read.image) program->image = Scalar{read.image->text, patch.mark};
      for (const auto& [name, amount] : read.resources) program->resources[name] = Scalar{amount.text, patch.mark};
      for (Variable& variable : read.environment) {
        variable.name.mark = variable.value.mark = patch.mark;
        std::erase_if(program->environment, [&](const Variable& each) { return each.name.text == variable.name.text; });
        program->environment.push_back(std::move(variable));
      }
    }
  }

  static Program* find_program(Template& definition, std::string_view name) {
    if (is_task(definition.kind)) return name == "main" ? &definition.program : nullptr;
    auto found = std::ranges::find_if(definition.containers,
                                      [&](const Program& each) { return each.name && each.name->text == name; });
    return found == definition.containers.end() ? nullptr : &*found;
  }

  const std::vector<Document>& documents_;
  Report& report_;
  Spec& spec_;
  Values known_;
  Template* template_ = nullptr;  // that is looked at
  bool makes_maps_ = false;       // some step may
};

}  // namespace

void settle(const std::vector<Document>& documents, Report& report, Spec& spec) {
  Settler(documents, report, spec).settle_all();
}

}  // namespace kist::dialect::argo
