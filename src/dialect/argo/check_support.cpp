// What the model can say and no floor acts on yet. A line goes when its floor has landed; when none is left, so does
// this file.
#include <fmt/format.h>

#include "dialect/argo/check.hpp"

namespace kist::dialect::argo {
namespace {

struct Done {
  bool loops = true;
  bool hooks = true;
  bool retries = true;
  bool deadlines = true;
  bool parallelism = true;
  bool locks = true;
  bool memo = true;
  bool gates = true;
  bool globals = true;
  bool expressions = true;  // of artifacts
  bool locations = true;
  bool volumes = true;
  bool containers = true;
  bool daemons = true;
  bool secrets = true;
  bool http = true;
  bool requests = false;
  bool suspension = true;
};
constexpr Done kDone;

class Support {
 public:
  Support(const Spec& spec, Report& report) : spec_(spec), report_(report) {}

  void check_all() {
    need(kDone.hooks, spec_.on_exit.has_value() || !spec_.hooks.empty(), spec_.mark, "onExit", "spec");
    need(kDone.deadlines, spec_.deadline.has_value(), spec_.mark, "activeDeadlineSeconds", "spec");
    need(kDone.locks, !spec_.locks.empty(), spec_.mark, "synchronization", "spec");
    need(kDone.suspension, spec_.suspended, spec_.mark, "suspend", "spec");
    if (!kDone.parallelism && spec_.parallelism)
      report_.postponed(spec_.parallelism->mark, "parallelism", "steps run as the machine allows");
    check_exchange(spec_.arguments, "spec.arguments");
    for (const Template& each : spec_.templates) {
      report_.enter(each.key);
      check_template(each);
    }
    report_.enter("");
  }

 private:
  void need(bool done, bool asked, yaml::Mark mark, std::string_view key, const std::string& where) {
    if (!done && asked) report_.unsupported(mark, key, where);
  }

  void check_exchange(const Exchange& exchange, const std::string& where) {
    for (const Parameter& parameter : exchange.parameters)
      need(kDone.globals, parameter.global.has_value(), parameter.mark, "globalName", where);
    for (const Artifact& artifact : exchange.artifacts) {
      need(kDone.locations, artifact.place.has_value(), artifact.mark,
           artifact.place ? std::string_view(artifact.place->kind) : "", where);
      need(kDone.expressions, artifact.expression.has_value(), artifact.mark, "fromExpression", where);
      need(kDone.expressions, artifact.sub_path.has_value(), artifact.mark, "subPath", where);
      need(kDone.globals, artifact.global.has_value(), artifact.mark, "globalName", where);
    }
  }

  void check_program(const Program& program, const std::string& where) {
    need(kDone.volumes, !program.mounts.empty(), program.mark, "volumeMounts", where);
    for (const Variable& variable : program.environment)
      need(kDone.secrets, variable.secret.has_value(), variable.name.mark, "secretKeyRef", where);
    for (const Variables& variables : program.environment_from)
      need(kDone.secrets, variables.secret.has_value(), program.mark, "secretRef", where);
  }

  void check_template(const Template& each) {
    const std::string where = where_of(each);
    check_exchange(each.inputs, where + ".inputs");
    check_exchange(each.outputs, where + ".outputs");
    check_program(each.program, where);
    need(kDone.containers, each.kind == Template::Kind::container_set, each.mark, "containerSet", where);
    need(kDone.gates, each.kind == Template::Kind::suspend, each.mark, "suspend", where);
    need(kDone.http, each.kind == Template::Kind::http, each.mark, "http", where);
    need(kDone.locations, each.kind == Template::Kind::data, each.mark, "data", where);
    need(kDone.requests, each.kind == Template::Kind::resource, each.mark, "resource", where);
    need(kDone.containers, !each.initial.empty(), each.mark, "initContainers", where);
    need(kDone.containers, !each.sidecars.empty(), each.mark, "sidecars", where);
    need(kDone.daemons, each.daemon, each.mark, "daemon", where);
    need(kDone.retries, each.retry || (spec_.retry && !is_group(each.kind)), each.mark, "retryStrategy", where);
    need(kDone.deadlines, each.deadline.has_value(), each.mark, "activeDeadlineSeconds", where);
    need(kDone.deadlines, each.timeout.has_value(), each.mark, "timeout", where);
    need(kDone.locks, !each.locks.empty(), each.mark, "synchronization", where);
    need(kDone.memo, each.memo.has_value(), each.mark, "memoize", where);
    need(false, each.target && each.target->text.contains("{{"), each.mark, "a target with {{…}}", where + ".dag");
    if (!kDone.parallelism && each.parallelism)
      report_.postponed(each.parallelism->mark, "parallelism", "steps run as the machine allows");
    for_each_step(each, [&](const StepSpec& step, const std::string& place) {
      check_exchange(step.arguments, place + ".arguments");
      need(kDone.loops, step.loop.has_value(), step.mark, "loops", place);
      need(kDone.hooks, step.on_exit || !step.hooks.empty(), step.mark, "hooks", place);
    });
  }

  const Spec& spec_;
  Report& report_;
};

}  // namespace

void check_support(const Spec& spec, Report& report) {
  Support(spec, report).check_all();
}

}  // namespace kist::dialect::argo
