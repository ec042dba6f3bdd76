#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"
#include "engine/log.hpp"

namespace kist::cli {

namespace {

struct LogsOptions {
  std::string run;
  std::optional<std::string> step;
  bool follow = false;
  bool timestamps = false;
  bool json = false;
};

Json to_json(const model::NodeRecord& node, const engine::LogLine& line) {
  Json json{{"step", node.names.display},
            {"node", node.names.name},
            {"time", to_rfc3339_micros(line.time)},
            {"stream", to_string(line.stream)},
            {"text", line.text}};
  if (line.partial) json["partial"] = true;
  return json;
}

bool is_meant(const model::NodeRecord& node, const std::string& step) {
  const auto& names = node.names;
  return step == names.display || step == names.name || step == names.host || step == names.id || step == node.step;
}

Status check_step(const model::RunRecord& run, const std::string& step) {
  std::vector<std::string> names;
  for (const auto& node : run.nodes) {
    if (node.kind != model::NodeKind::task) continue;
    if (is_meant(node, step)) return {};
    names.push_back(node.names.display);
  }
  std::string text = fmt::format("The run '{}' has no step '{}'", run.name, step);
  if (const auto near = nearest(step, names)) text += fmt::format("; did you mean '{}'?", *near);
  return fail(ErrorKind::not_found, text);
}

Result<int> logs(Context& context, const LogsOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.run));
  // A step of a run that goes on may be yet to come.
  if (options.step && !(options.follow && !model::is_final(run.state))) KIST_TRY(check_step(run, *options.step));
  KIST_TRY_ASSIGN(const auto wording, wording_of(run.dialect));
  const bool colored = context.colored_output();

  bool inside_line = false;
  const auto each = [&](const model::NodeRecord& node, const engine::LogLine& line) {
    if (options.json) {
      print(to_text(to_json(node, line)) + "\n");
      if (options.follow) flush_output();
      return true;
    }
    if (!inside_line) {
      if (options.timestamps) print(to_rfc3339_micros(line.time) + " ");
      print(paint(wording->log_prefix(node.names), Color::faint, colored));
    }
    print(paint(line.text, line.stream == task::Stream::kist ? Color::faint : Color::none, colored));
    inside_line = line.partial;
    if (!inside_line) print("\n");
    if (options.follow) flush_output();
    return true;
  };
  const auto select = [&](const model::NodeRecord& node) { return !options.step || is_meant(node, *options.step); };
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  if (options.follow && !model::is_final(run.state) && run.state != model::State::interrupted) {
    KIST_TRY(engine::follow_logs(parts, run.name, select, each));
  } else {
    KIST_TRY(engine::read_logs(parts.home, parts.store, run, select, each));
  }
  return 0;
}

}  // namespace

void declare_logs(Arguments& arguments, Context& context) {
  auto options = std::make_shared<LogsOptions>();
  arguments.flag("-f,--follow", options->follow, "Go on with what is written until the run ends");
  arguments.flag("--timestamps", options->timestamps, "Before each line, when it was written");
  arguments.flag("--json", options->json, "An object a line");
  arguments.positional("RUN|:TAG", options->run, "The run, or how its name begins; or a tag", Completes::run_or_tag);
  arguments.positional("STEP", options->step, "Only this step, by any of the names `kist show` prints",
                       Completes::step);
  arguments.action([&context, options] { return logs(context, *options); });
}

}  // namespace kist::cli
