// What runs processes, as a task: inputs are loaded, initial containers run, sidecars start, the process runs,
// parameters are read, artifacts are saved. Argo collects outputs whatever the process said, so reads and saves happen
// after a failure and after a stop too.
#include <algorithm>
#include <utility>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/hera_runner.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/resources.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kMain = "main";
// What starts a container of a set ends with this where it fails itself; a program that does so cannot be told from it.
constexpr int kExecutorFailed = 64;
constexpr model::When kAfterSuccess{};
constexpr model::When kAfterwards{.success = true, .failure = true, .stopped = true, .aborted = false};

// What a template may say of its own paths: `{{outputs.artifacts.x.path}}`.
Values path_names(const Template& definition) {
  Values names;
  for (const Artifact& artifact : definition.inputs.artifacts)
    if (artifact.path) names["inputs.artifacts." + artifact.name.text + ".path"] = clean_path(artifact.path->text);
  for (const Artifact& artifact : definition.outputs.artifacts)
    if (artifact.path) names["outputs.artifacts." + artifact.name.text + ".path"] = clean_path(artifact.path->text);
  for (const Parameter& parameter : definition.outputs.parameters)
    if (parameter.path) names["outputs.parameters." + parameter.name.text + ".path"] = clean_path(parameter.path->text);
  return names;
}

class PodLowerer {
 public:
  PodLowerer(const Spec& spec, const Template& definition, bool capture, const Report& report)
      : spec_(spec), definition_(definition), report_(report), names_(path_names(definition)), capture_(capture) {}

  model::Task lower() {
    for (const Artifact& artifact : definition_.inputs.artifacts)
      if (artifact.path) add(artifact.name.text, std::string(kMain), {}, artifact.mark, load_of(artifact, names_));
    for (const Program& program : definition_.initial) add_beside(program, program.stays);
    for (const Program& program : definition_.sidecars) add_beside(program, true);
    if (definition_.kind == Template::Kind::container_set)
      for (const Program& program : definition_.containers) add_of_set(program);
    else
      add_main(definition_.program);
    add_outputs();
    add_onepanel();
    task_.volumes = lower_volumes(spec_, definition_, mounted_, names_);
    task_.capture_result = capture_;
    task_.daemon = definition_.daemon;
    task_.as_root |= definition_.as_root || spec_.as_root;
    const bool logs = spec_.repository.archive_logs.value_or(false) ||
                      definition_.archive_logs.value_or(spec_.archive_logs.value_or(false));
    if (logs)
      task_.log_artifact = model::LogArtifact{std::string(kMain) + "-logs", log_location(spec_, definition_, kMain)};
    return std::move(task_);
  }

 private:
  model::Text text(const Scalar& scalar) const { return make_text(fill_names(scalar.text, names_)); }

  template <typename What>
  model::Action& add(std::string title, std::string container, model::When when, yaml::Mark mark, What what) {
    task_.actions.push_back(
        {std::move(title), std::move(container), when, report_.origin(mark), std::move(what), std::nullopt});
    return task_.actions.back();
  }

  // The variables that Argo gives every container.
  std::vector<model::EnvironmentVariable> own_variables(std::string_view container) const {
    return {
        {"ARGO_CONTAINER_NAME", make_text(container)},
        {.name = "ARGO_WORKFLOW_NAME", .value = make_text("{{workflow.name}}"), .of_run = true},
        {.name = "ARGO_NODE_ID", .value = make_text("{{node.id}}"), .of_run = true},
        {"ARGO_INCLUDE_SCRIPT_OUTPUT", make_text(capture_ ? "true" : "false")},
        {.name = "ARGO_DEADLINE", .value = make_text("{{node.deadline}}"), .of_run = true},
        {"ARGO_PROGRESS_FILE", make_text(kProgressPath)},
        {"ARGO_PROGRESS_FILE_TICK_DURATION", make_text("1s")},
        {"ARGO_PROGRESS_PATCH_TICK_DURATION", make_text("1s")},
    };
  }

  void add_mounts(const std::vector<Mount>& mounts, model::Container& container) {
    for (const Mount& mount : mounts) {
      const bool covered = std::ranges::any_of(container.mounts, [&](const model::VolumeMount& known) {
        return known.path.source() == clean_path(mount.path.text);
      });
      if (covered) continue;
      mounted_.insert(mount.volume.text);
      model::VolumeMount& lowered = container.mounts.emplace_back();
      lowered.volume = text(mount.volume);
      lowered.path = make_text(fill_names(clean_path(mount.path.text), names_));
      if (mount.sub_path) lowered.sub_path = text(*mount.sub_path);
      lowered.read_only = mount.read_only;
    }
  }

  void add_container(const Program& program, const std::string& name, const std::vector<Mount>& shared) {
    model::Container& container = task_.containers.emplace_back();
    container.name = name;
    if (program.image) container.image = text(*program.image);
    container.environment = own_variables(name);
    for (const Variables& variables : program.environment_from)
      if (variables.secret)
        container.secret_environment.push_back({text(*variables.secret), variables.prefix, variables.optional});
    for (const Variable& variable : program.environment) {
      model::EnvironmentVariable lowered;
      lowered.name = variable.name.text;
      lowered.late_name = late_text(variable.name.text);
      if (variable.secret)
        lowered.secret =
            model::SecretReference{text(variable.secret->name), text(variable.secret->key), variable.secret->optional};
      else if (variable.field)
        lowered.value = make_text(field_text(variable.field->text));
      else if (variable.resource) {
        const Amount amount = amount_of(definition_, program, *variable.resource).value_or(Amount());
        lowered.value = make_text(fill_names(amount.written, names_));
        lowered.in_units = amount.in_units;
      } else
        lowered.value = variable.literal ? model::Text::literal(variable.value.text) : text(variable.value);
      container.environment.push_back(std::move(lowered));
    }
    if (program.working_directory) container.working_directory = text(*program.working_directory);
    add_mounts(program.mounts, container);
    add_mounts(shared, container);
    task_.as_root |= program.as_root;
    if (!spec_.bare) return;
    // What Onepanel gives every container.
    container.secret_environment.push_back({make_text("onepanel-default-env"), "", true});
    container.environment.push_back({"ONEPANEL_RESOURCE_NAMESPACE", make_text("{{workflow.namespace}}")});
    container.environment.push_back(
        {.name = "ONEPANEL_RESOURCE_UID", .value = make_text("{{workflow.name}}"), .of_run = true});
    container.environment.push_back({"ONEPANEL_PROVIDER", make_text("kist")});
  }

  model::Run run_of(const Program& program) const {
    model::Run run;
    for (const auto* words : {&program.command, &program.arguments})
      for (const Scalar& word : *words) run.command.push_back(text(word));
    run.image_program = program.command.empty();
    run.expand_variables = true;
    run.terminal = program.terminal;
    run.starter = hera_starter(program);
    return run;
  }

  std::optional<model::Pause> pause_of(const Program& program, const std::string& container) const {
    if (!spec_.pauses) return std::nullopt;
    const auto value_of = [&](std::string_view name) {
      const auto found =
          std::ranges::find(program.environment, name, [](const Variable& one) { return one.name.text; });
      if (found == program.environment.end() || found->secret || found->field || found->resource) return model::Text();
      return found->literal ? model::Text::literal(found->value.text) : text(found->value);
    };
    model::Pause pause{.before = value_of(kPauseBefore),
                       .after = value_of(kPauseAfter),
                       .directory = std::string(kHoldPath) + container};
    if (pause.before.source().empty() && pause.after.source().empty()) return std::nullopt;
    return pause;
  }

  static std::optional<model::Probe> probe_of(const Program& program) {
    if (!program.ready) return std::nullopt;
    model::Probe probe;
    for (const Scalar& word : program.ready->command) probe.command.push_back(make_text(word.text));
    if (program.ready->url) probe.url = make_text(program.ready->url->text);
    if (program.ready->port) probe.port = static_cast<int>(*program.ready->port);
    probe.delay = std::chrono::seconds(program.ready->delay);
    probe.period = std::chrono::seconds(program.ready->period);
    probe.failures = static_cast<int>(program.ready->failures);
    return probe;
  }

  void add_main(const Program& program) {
    add_container(program, std::string(kMain), {});
    model::Run run = run_of(program);
    run.is_main = true;
    run.progress_file = make_text(kProgressPath);
    if (definition_.daemon) run.ready = probe_of(program);
    run.pause = pause_of(program, std::string(kMain));
    if (program.source && !program.source->text.empty()) {  // Argo: without one, it is a container
      run.script = text(*program.source);
      run.script_path = kScriptPath;
    }
    add(std::string(kMain), std::string(kMain), {}, program.mark, std::move(run));
  }

  // An initial container or a sidecar.
  void add_beside(const Program& program, bool background) {
    const std::string name = program.name ? program.name->text : "sidecar";
    add_container(program, name, program.mirror_mounts ? definition_.program.mounts : std::vector<Mount>());
    model::Run run = run_of(program);
    run.background = background;
    if (background) run.ready = probe_of(program);
    run.end_counts = background && !program.stays;  // a cluster starts those that stay again
    add(name, name, {}, program.mark, std::move(run));
  }

  void add_of_set(const Program& program) {
    const std::string name = program.name ? program.name->text : std::string(kMain);
    add_container(program, name, definition_.set_mounts);
    model::Run run = run_of(program);
    run.is_main = name == kMain;
    run.error_code = kExecutorFailed;
    run.pause = pause_of(program, name);
    if (run.is_main) run.progress_file = make_text(kProgressPath);
    if (definition_.set_retry) {
      // Argo's documents count further tries; what it does is that many in all.
      if (definition_.set_retry->limit) run.tries = text(*definition_.set_retry->limit);
      if (definition_.set_retry->backoff) run.retry_delay = text(*definition_.set_retry->backoff);
    }
    model::Action& action = add(name, name, {}, program.mark, std::move(run));
    action.after.emplace();
    for (const Scalar& other : program.dependencies) action.after->push_back(other.text);
  }

  void add_outputs() {
    for (const Parameter& parameter : definition_.outputs.parameters) {
      if (!parameter.path && !parameter.value) continue;
      model::Read read{.parameter = parameter.name.text, .path = {}, .fallback = std::nullopt};
      read.late_name = late_text(parameter.name.text);
      if (parameter.path) read.path = make_text(fill_names(clean_path(parameter.path->text), names_));
      if (parameter.value)
        read.fallback = text(*parameter.value);
      else if (parameter.absent)
        read.fallback = text(*parameter.absent);
      if (parameter.global) read.global = make_text(parameter.global->text);
      add(parameter.name.text, std::string(kMain), kAfterwards, parameter.mark, std::move(read));
    }
    for (const Artifact& artifact : definition_.outputs.artifacts)
      if (artifact.path)
        add(artifact.name.text, std::string(kMain), when_kept(), artifact.mark,
            save_of(spec_, definition_, artifact, names_));
  }

  model::When when_kept() const { return spec_.drops_failed ? kAfterSuccess : kAfterwards; }

  // Directories and the output of measures that Onepanel adds to every container and script.
  void add_onepanel() {
    if (!spec_.bare || !is_task(definition_.kind)) return;
    for (const std::string_view directory : {"/mnt/tmp", "/mnt/out"}) {
      const bool mounted = std::ranges::any_of(definition_.program.mounts, [&](const Mount& mount) {
        const std::string path = clean_path(mount.path.text);
        return path == directory || path.starts_with(std::string(directory) + "/") || directory.starts_with(path + "/");
      });
      if (!mounted) task_.fresh_directories.push_back(make_text(directory));
    }
    const bool own = std::ranges::any_of(definition_.outputs.artifacts,
                                         [](const Artifact& artifact) { return artifact.name.text == "sys-metrics"; });
    if (own) return;
    for (const std::string_view path : {"/tmp/sys-metrics.json", "/mnt/tmp/sys-metrics.json"}) {
      Artifact measures;
      measures.name = Scalar{"sys-metrics", definition_.mark};
      measures.path = Scalar{std::string(path), definition_.mark};
      measures.optional = true;
      add(measures.name.text, std::string(kMain), when_kept(), definition_.mark,
          save_of(spec_, definition_, measures, names_));
    }
  }

  const Spec& spec_;
  const Template& definition_;
  const Report& report_;
  Values names_;
  bool capture_;
  std::set<std::string> mounted_;
  model::Task task_;
};

}  // namespace

model::Task lower_pod(const Spec& spec, const Template& definition, bool capture, const Report& report) {
  return PodLowerer(spec, definition, capture, report).lower();
}

}  // namespace kist::dialect::argo
