// Where a name may be used, as Argo's lint sees it: the workflow's own names everywhere; a template's inputs inside it;
// a step's results in later stages, a task's in tasks that wait for it. Names that begin like none of Argo's
// (`{{user}}`) are left alone: they stay as written.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/check.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

enum class Verdict {
  known,
  unknown,
};

Verdict known_if(bool known) {
  return known ? Verdict::known : Verdict::unknown;
}

// Names that are made when it runs are known if they may be that.
bool has_parameter(const Exchange& exchange, std::string_view name) {
  return std::ranges::any_of(exchange.parameters, [&](const Parameter& each) { return may_be(each.name.text, name); });
}

bool has_artifact(const Exchange& exchange, std::string_view name) {
  return std::ranges::any_of(exchange.artifacts, [&](const Artifact& each) { return may_be(each.name.text, name); });
}

// The rest of `name` after `prefix`, nullopt where it begins otherwise.
std::optional<std::string_view> after(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return name.substr(prefix.size());
}

bool has_key(const std::vector<std::pair<std::string, std::string>>& map, std::string_view key) {
  return std::ranges::any_of(map, [&](const auto& entry) { return entry.first == key; });
}

// The outputs of one kind that templates give to the whole workflow. Where the name of any is made when it runs, any
// may be there, and so where a template of another document is named only then.
struct Globals {
  std::set<std::string_view> names;
  bool any = false;

  bool may_have(std::string_view name) const { return any || names.contains(name); }
};

template <typename T>
Globals globals_of(const Spec& spec, std::vector<T> Exchange::* outputs) {
  Globals globals;
  for (const Template& each : spec.templates) {
    for (const T& output : each.outputs.*outputs) {
      if (!output.global) continue;
      globals.names.insert(output.global->text);
      globals.any = globals.any || is_late(output.global->text);
    }
    for_each_step(each, [&](const StepSpec& step, const std::string&) {
      globals.any = globals.any || (step.called.dynamic && step.called.library);
    });
  }
  return globals;
}

struct WorkflowOutputs {
  explicit WorkflowOutputs(const Spec& spec)
      : parameters(globals_of(spec, &Exchange::parameters)), artifacts(globals_of(spec, &Exchange::artifacts)) {}

  Globals parameters;
  Globals artifacts;
};

Verdict of_workflow(const Spec& spec, const WorkflowOutputs& outputs, std::string_view name, bool to_run) {
  constexpr auto kAlways =
      std::to_array<std::string_view>({"name", "namespace", "uid", "mainEntrypoint", "serviceAccountName", "parameters",
                                       "parameters.json", "scheduledTime", "priority"});
  if (std::ranges::count(kAlways, name) > 0) return Verdict::known;
  // A document of templates is used by workflows that have parameters of their own.
  const bool open = (spec.kind == Spec::Kind::library && !to_run) || spec.other_spec;
  if (auto parameter = after(name, "parameters.")) return known_if(open || has_parameter(spec.arguments, *parameter));
  if (name == "labels" || name == "annotations" || name == "labels.json" || name == "annotations.json")
    return Verdict::known;
  if (auto label = after(name, "labels.")) {
    const bool from = std::ranges::any_of(spec.labels_from, [&](const auto& each) { return each.first == *label; });
    // Argo puts labels of its own on what it runs.
    return known_if(open || from || label->starts_with("json.") || label->starts_with("workflows.argoproj.io/") ||
                    has_key(spec.labels, *label) || has_key(spec.given_labels, *label));
  }
  if (auto annotation = after(name, "annotations."))
    return known_if(open || annotation->starts_with("json.") || has_key(spec.annotations, *annotation) ||
                    has_key(spec.given_annotations, *annotation));
  if (name == "creationTimestamp" || name.starts_with("creationTimestamp.") || name.starts_with("scheduledTime."))
    return Verdict::known;
  // What templates make known to all, whoever runs first.
  if (auto output = after(name, "outputs.parameters.")) return known_if(open || outputs.parameters.may_have(*output));
  if (auto output = after(name, "outputs.artifacts.")) return known_if(open || outputs.artifacts.may_have(*output));
  if (name.starts_with("outputs.")) return Verdict::known;
  if (name == "duration") return Verdict::known;
  // Templates that tell how it went are often kept for other workflows; only those that run at the end know failures.
  if (name == "status") return Verdict::known;
  if (name == "failures") return known_if(spec.has_exit_handlers);
  return Verdict::unknown;
}

// What a template sees of itself.
Verdict of_template(const Template& definition, std::string_view name) {
  if (name == "inputs.parameters" || name == "pod.name") return Verdict::known;
  if (auto rest = after(name, "inputs.parameters.")) return known_if(has_parameter(definition.inputs, *rest));
  if (auto rest = after(name, "inputs.artifacts.")) {
    if (has_artifact(definition.inputs, *rest)) return Verdict::known;
    return known_if(rest->ends_with(".path") && has_artifact(definition.inputs, rest->substr(0, rest->size() - 5)));
  }
  // Argo passes these through; they mean something in metrics.
  return known_if(name.starts_with("outputs.") || name == "steps.name" || name == "tasks.name" ||
                  name == "inputs.artifacts");
}

// What is known of a step after it ran; `rest` follows "steps.NAME.".
Verdict of_step(const Spec& spec, const StepSpec& step, std::string_view rest) {
  const Template* called = find_template(spec, step.called.key);
  if (called == nullptr) return Verdict::known;
  constexpr auto kAlways = std::to_array<std::string_view>({"id", "status", "startedAt", "finishedAt", "hostNodeName"});
  if (std::ranges::count(kAlways, rest) > 0) return Verdict::known;
  if (rest == "ip") return known_if(called->daemon);
  // Onepanel adds this output to every task.
  if (spec.bare && rest == "outputs.artifacts.sys-metrics") return Verdict::known;
  if (rest == "exitCode") return known_if(!is_group(called->kind));
  if (rest == "outputs.result") return known_if(step.loop.has_value() || !is_group(called->kind));
  if (rest == "outputs.parameters") return Verdict::known;
  if (auto name = after(rest, "outputs.parameters.")) return known_if(has_parameter(called->outputs, *name));
  if (auto name = after(rest, "outputs.artifacts.")) {
    if (has_artifact(called->outputs, *name)) return Verdict::known;
    return known_if(name->ends_with("-logs"));
  }
  return Verdict::unknown;
}

// Whether a step whose name is made when it runs may have this one.
bool may_be_late(const Template& group, std::string_view name) {
  bool may = false;
  for_each_step(group, [&](const StepSpec& step, const std::string&) {
    may = may || (is_late(step.name.text) && may_be(step.name.text, name));
  });
  return may;
}

// What each template is called with, by its key.
using Calls = std::map<std::string_view, std::vector<const Exchange*>>;

Calls calls_of(const Spec& spec) {
  Calls calls;
  calls[spec.entry_key].push_back(&spec.arguments);
  auto add_hooks = [&](const std::vector<HookSpec>& hooks) {
    for (const HookSpec& hook : hooks) calls[hook.called.key].push_back(&hook.arguments);
  };
  for (const Template& each : spec.templates)
    for_each_step(each, [&](const StepSpec& step, const std::string&) {
      calls[step.called.key].push_back(&step.arguments);
      if (step.on_exit) calls[step.on_exit->key].push_back(&step.arguments);
      add_hooks(step.hooks);
    });
  if (spec.on_exit) calls[spec.on_exit->key].push_back(&spec.arguments);
  add_hooks(spec.hooks);
  return calls;
}

// Looks at texts of one template, or of the workflow itself.
class Checker {
 public:
  Checker(const Spec& spec, const Graphs& graphs, bool to_run, Report& report)
      : spec_(spec), graphs_(graphs), report_(report), to_run_(to_run), calls_(calls_of(spec)), outputs_(spec) {}

  void check_workflow() {
    for (const Parameter& parameter : spec_.arguments.parameters)
      check_value_texts(parameter, "spec.arguments." + parameter.name.text);
    for (const Artifact& artifact : spec_.arguments.artifacts)
      if (artifact.raw) check(*artifact.raw, "spec.arguments.artifacts." + artifact.name.text);
    if (spec_.on_exit) check_called(*spec_.on_exit, "spec.onExit");
    for (const HookSpec& hook : spec_.hooks) check_called(hook.called, "spec.hooks." + hook.name.text);
  }

  void check_template(const Template& definition) {
    template_ = &definition;
    where_ = where_of(definition);
    for (const Parameter& parameter : definition.inputs.parameters)
      if (!always_given(definition, parameter))
        check_value_texts(parameter, fmt::format("{}.inputs.parameters.{}", where_, parameter.name.text));
    for (const Artifact& artifact : definition.inputs.artifacts) {
      if (artifact.path) check(*artifact.path, where_);
      if (artifact.raw) check(*artifact.raw, where_);
      check_place(artifact, where_);
    }
    if (!is_group(definition.kind)) check_task(definition);
    if (definition.kind == Template::Kind::steps) check_steps(definition);
    if (definition.kind == Template::Kind::dag && graphs_.contains(&definition)) check_dag(definition);
    template_ = nullptr;
  }

 private:
  void check_value_texts(const Parameter& parameter, const std::string& where) {
    if (parameter.value && !parameter.overridden) check(*parameter.value, where);
    if (parameter.fallback) check(*parameter.fallback, where);
  }

  // What an input says itself counts where a call leaves it out. Templates for several workflows speak of parameters of
  // one there, and the calls of others give it.
  bool always_given(const Template& definition, const Parameter& parameter) const {
    auto found = calls_.find(definition.key);
    return found != calls_.end() && std::ranges::all_of(found->second, [&](const Exchange* arguments) {
             return has_parameter(*arguments, parameter.name.text);
           });
  }

  void check_program(const Program& program) {
    for (const auto* text : {&program.image, &program.working_directory, &program.source})
      if (*text) check(**text, where_);
    for (const Scalar& word : program.command) check(word, where_);
    for (const Scalar& word : program.arguments) check(word, where_);
    for (const Variable& variable : program.environment) {
      check(variable.name, where_);
      if (!variable.literal) check(variable.value, where_);
    }
    for (const auto& [name, amount] : program.resources) check(amount, where_);
  }

  void check_task(const Template& definition) {
    check_program(definition.program);
    for (const auto* programs : {&definition.containers, &definition.initial, &definition.sidecars})
      for (const Program& program : *programs) check_program(program);
    for (const auto* text :
         {&definition.http.url, &definition.http.body, &definition.duration, &definition.resource.action,
          &definition.resource.manifest, &definition.resource.success_condition, &definition.resource.failure_condition,
          &definition.deadline, &definition.timeout, &definition.pending_timeout})
      if (*text) check(**text, where_);
    for (const Scalar& flag : definition.resource.flags) check(flag, where_);
    for (const Parameter& parameter : definition.outputs.parameters) {
      check(parameter.name, where_);
      for (const auto* text : {&parameter.path, &parameter.absent, &parameter.global})
        if (*text) check(**text, where_);
    }
    for (const Artifact& artifact : definition.outputs.artifacts) {
      check(artifact.name, where_);
      if (artifact.global) check(*artifact.global, where_);
      if (artifact.path) check(*artifact.path, where_);
      check_place(artifact, where_);
    }
  }

  void check_place(const Artifact& artifact, const std::string& where) {
    if (!artifact.place) return;
    for (const Place::Field& field : artifact.place->fields)
      if (const auto* text = std::get_if<Scalar>(&field.value)) check(*text, where);
  }

  void check_steps(const Template& definition) {
    std::map<std::string_view, std::pair<std::size_t, const StepSpec*>> index;
    for (std::size_t stage = 0; stage < definition.stages.size(); ++stage)
      for (const StepSpec& step : definition.stages[stage]) index.try_emplace(step.name.text, stage, &step);
    std::size_t now = 0;
    visible_ = [&](std::string_view name) {
      auto found = index.find(name);
      return found != index.end() && found->second.first < now ? found->second.second : nullptr;
    };
    for (; now < definition.stages.size(); ++now)
      for (const StepSpec& step : definition.stages[now])
        check_step(step, fmt::format("{}.steps[{}].{}", where_, now, step.name.text));
    check_group_outputs(definition);
    visible_ = nullptr;
  }

  void check_dag(const Template& definition) {
    const Graph& graph = graphs_.at(&definition);
    for (std::size_t task = 0; task < definition.tasks.size(); ++task) {
      const std::string where = fmt::format("{}.tasks.{}", where_, definition.tasks[task].name.text);
      visible_ = [&, task](std::string_view name) { return find_task(definition, graph, task, name); };
      check_dependencies(definition, graph, task, where);
      check_step(definition.tasks[task], where);
    }
    visible_ = [&](std::string_view name) -> const StepSpec* {
      auto found = graph.index.find(name);
      return found == graph.index.end() ? nullptr : &definition.tasks[found->second];
    };
    if (definition.target) check(*definition.target, where_ + ".targets");
    check_group_outputs(definition);
    visible_ = nullptr;
  }

  // A task that `task` waits for.
  const StepSpec* find_task(const Template& definition, const Graph& graph, std::size_t task,
                            std::string_view name) const {
    auto found = graph.index.find(name);
    if (found == graph.index.end()) return nullptr;
    return graph.broken || graph.waits_for(task, found->second) ? &definition.tasks[found->second] : nullptr;
  }

  // An argument made from a task that its own task does not wait for: said in words that name the missing dependency.
  void check_dependencies(const Template& definition, const Graph& graph, std::size_t task, const std::string& where) {
    auto missing = [&](const Scalar& text, std::string_view what, std::string_view name) {
      auto parsed = expression::Text::parse(text.text);
      if (!parsed) return;
      for_each_reference(*parsed, [&](std::string_view reference, std::string_view) {
        auto rest = after(reference, "tasks.");
        if (!rest || !rest->contains('.')) return;
        const std::string_view other = rest->substr(0, rest->find('.'));
        if (graph.index.contains(other) && find_task(definition, graph, task, other) == nullptr)
          report_.error(text.mark, fmt::format("{} missing dependency '{}' for {} '{}'", where, other, what, name));
      });
    };
    for (const Parameter& parameter : definition.tasks[task].arguments.parameters)
      if (parameter.value) missing(*parameter.value, "parameter", parameter.name.text);
    for (const Artifact& artifact : definition.tasks[task].arguments.artifacts)
      if (artifact.from) missing(*artifact.from, "artifact", artifact.name.text);
  }

  void check_called(const Reference& called, const std::string& where) {
    for (const auto* name : {&called.name, &called.library})
      if (*name) check(**name, where);
  }

  void check_step(const StepSpec& step, const std::string& where) {
    check(step.name, where);
    loop_ = step.loop ? &*step.loop : nullptr;
    check_called(step.called, where);
    if (step.loop && step.loop->parameter) check(*step.loop->parameter, where);
    for (const Parameter& parameter : step.arguments.parameters) {
      check(parameter.name, where);
      if (parameter.value) check(*parameter.value, where);
    }
    for (const Artifact& artifact : step.arguments.artifacts) {
      check(artifact.name, where);
      if (artifact.from) check_from(*artifact.from, where);
      if (artifact.raw) check(*artifact.raw, where);
      check_place(artifact, where);
      if (artifact.sub_path) check(*artifact.sub_path, where);
    }
    if (step.condition) check(*step.condition, where);
    if (step.on_exit) check(*step.on_exit->name, where);
    for (const HookSpec& hook : step.hooks) check_called(hook.called, where);
    loop_ = nullptr;
  }

  void check_group_outputs(const Template& definition) {
    for (const Parameter& parameter : definition.outputs.parameters) {
      const std::string where = fmt::format("{}.outputs.parameters.{}", where_, parameter.name.text);
      check(parameter.name, where);
      for (const auto* text : {&parameter.value, &parameter.parameter, &parameter.absent, &parameter.global})
        if (*text) check(**text, where);
    }
    for (const Artifact& artifact : definition.outputs.artifacts) {
      check(artifact.name, where_);
      if (artifact.global) check(*artifact.global, where_);
      if (artifact.from) check_from(*artifact.from, fmt::format("{}.outputs.artifacts.{}", where_, artifact.name.text));
    }
  }

  // An artifact's source; it may be written without braces.
  void check_from(const Scalar& from, const std::string& where) {
    if (from.text.contains("{{"))
      check(from, where);
    else
      check_name(from.text, from.text, from.mark, where);
  }

  void check(const Scalar& text, const std::string& where) {
    if (!text.text.contains("{{")) return;
    auto parsed = expression::Text::parse(text.text);
    if (!parsed) {
      report_.error(text.mark, fmt::format("{}: {}", where, parsed.error().text));
      return;
    }
    for_each_reference(
        *parsed, [&](std::string_view name, std::string_view source) { check_name(name, source, text.mark, where); });
  }

  void check_name(std::string_view name, std::string_view source, yaml::Mark mark, const std::string& where) {
    switch (verdict(name)) {
      case Verdict::known:
        return;
      case Verdict::unknown:
        auto parameter = after(name, "workflow.parameters.");
        report_.error(mark, fmt::format("{} failed to resolve {}{}", where, source,
                                        parameter && to_run_ ? advice_to_give(*parameter) : ""));
        return;
    }
  }

  Verdict verdict(std::string_view name) const {
    constexpr auto kRoots =
        std::to_array<std::string_view>({"item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks."});
    if (std::ranges::none_of(kRoots, [&](std::string_view root) { return name.starts_with(root); }))
      return Verdict::known;
    if (auto rest = after(name, "workflow.")) return of_workflow(spec_, outputs_, *rest, to_run_);
    if (auto key = after(name, "item."))
      return known_if(loop_ != nullptr && (!loop_->inner_names || loop_->inner_names->contains(*key)));
    if (template_ == nullptr) return Verdict::unknown;
    if (of_template(*template_, name) == Verdict::known) return Verdict::known;
    const std::string_view root = template_->kind == Template::Kind::steps ? "steps." : "tasks.";
    auto rest = after(name, root);
    if (!rest || !visible_) return Verdict::unknown;
    const std::size_t dot = rest->find('.');
    if (dot == std::string_view::npos) return Verdict::unknown;
    const StepSpec* step = visible_(rest->substr(0, dot));
    if (step == nullptr && may_be_late(*template_, rest->substr(0, dot))) return Verdict::known;
    return step == nullptr ? Verdict::unknown : of_step(spec_, *step, rest->substr(dot + 1));
  }

  const Spec& spec_;
  const Graphs& graphs_;
  Report& report_;
  const bool to_run_;
  const Calls calls_;
  const WorkflowOutputs outputs_;
  const Template* template_ = nullptr;
  std::string where_;
  std::function<const StepSpec*(std::string_view name)> visible_;
  const LoopSpec* loop_ = nullptr;  // of the step that is looked at
};

}  // namespace

void check_references(const Spec& spec, const Graphs& graphs, bool to_run, Report& report) {
  Checker checker(spec, graphs, to_run, report);
  checker.check_workflow();
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    checker.check_template(each);
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
