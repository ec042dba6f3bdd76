#include <ctime>
#include <functional>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/subject.hpp"
#include "engine/run_record.hpp"

namespace kist::cli {

namespace {

struct ShowOptions {
  std::string subject;
  bool json = false;
};

std::string local_time(Time time) {
  const auto seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string header(const Context& context, const model::RunRecord& run, const std::vector<std::string>& tags) {
  const bool colored = context.colored_output();
  std::string text = fmt::format("{}  {} {}\n", paint(run.name, Color::bold, colored),
                                 paint(mark_of(run.state), color_of(run.state), colored),
                                 paint(context.state_word(run.state, run.dialect), color_of(run.state), colored));
  if (!run.message.empty()) text += run.message + "\n";
  text += "\n";
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<10} {}\n", name, value);
  };
  line("Workflow", fmt::format("{} ({})", run.workflow.empty() ? "-" : run.workflow, run.dialect));
  line("Project", run.project);
  const Time started = run.started == Time{} ? run.created : run.started;
  line("Started", fmt::format("{} ({})", local_time(started), how_long_ago(started, now())));
  // When an interrupted run ended is not known.
  if (run.state != model::State::interrupted) line("Duration", duration_text(run.started, run.finished));
  if (run.expires != Time{}) line("Expires", local_time(run.expires));
  line("Tags", fmt::format("{}", fmt::join(tags, ", ")));
  std::vector<std::string> labels;
  for (const auto& [name, value] : run.marks.labels) labels.push_back(fmt::format("{}={}", name, value));
  line("Labels", fmt::format("{}", fmt::join(labels, ", ")));
  for (const auto& used : run.used_runs)
    line("Uses",
         fmt::format("{} ({} {})", used.run, used.by == model::RunArtifacts::By::tag ? "tag" : "workflow", used.name));
  return text;
}

// The nodes as a tree below their groups; what never came to be (omitted) is left out.
std::string tree(const model::RunRecord& run, bool colored) {
  std::unordered_map<std::string_view, std::vector<const model::NodeRecord*>> children;
  for (const auto& node : run.nodes)
    if (node.state != model::State::omitted) children[node.parent].push_back(&node);

  Table table({"STEP", "DURATION", "MESSAGE"});
  const std::function<void(const model::NodeRecord&, const std::string&, bool, bool)> add =
      [&](const model::NodeRecord& node, const std::string& indent, bool last, bool top) {
        const std::string branch = top ? "" : last ? "└─ " : "├─ ";
        std::string name = node.names.display;
        if (node.attempt > 1) name += fmt::format(" (attempt {})", node.attempt);
        std::string message = node.message;
        if (message.empty() && !node.taken_from.empty()) message = fmt::format("taken from {}", node.taken_from);
        if (message.empty() && node.state != model::State::succeeded) message = to_string(node.state);
        table.add({{fmt::format("{}{}{} {}", indent, branch, mark_of(node.state), name), color_of(node.state)},
                   node.state == model::State::interrupted ? "" : duration_text(node.started, node.finished),
                   message});
        const auto& below = children[node.names.name];
        for (std::size_t i = 0; i < below.size(); ++i)
          add(*below[i], top ? "" : indent + (last ? "   " : "│  "), i + 1 == below.size(), false);
      };
  for (const auto* entry : children[""]) add(*entry, "", true, true);
  return table.empty() ? "" : "\n" + table.to_text(colored);
}

std::string artifacts(const model::RunRecord& run, bool colored) {
  const auto kept = model::addresses(run);
  if (kept.empty()) return "";
  Table table({"ARTIFACT", "FILES", "SIZE"});
  for (const auto& one : kept)
    table.add({one.address, fmt::format("{}", one.artifact->files), human_size(one.artifact->bytes)});
  std::string text = "\n" + table.to_text(colored);
  for (const auto& one : kept)
    for (const std::string& left_out : one.artifact->left_out)
      text += fmt::format("{}: left out: {}\n", one.address, left_out);
  return text;
}

Result<int> show(Context& context, const ShowOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  if (options.json) {
    Json json = to_json(engine::hide_secrets(run));
    if (!json.contains("nodes")) json["nodes"] = Json::array();  // a run that only just began: scripts need not ask
    print_json(json);
    return 0;
  }
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  const auto summary = catalog->summary(run.name);
  const bool colored = context.colored_output();
  print(header(context, run, summary ? summary->tags : std::vector<std::string>{}));
  print(tree(run, colored));
  print(artifacts(run, colored));
  return 0;
}

}  // namespace

void declare_show(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ShowOptions>();
  arguments.flag("--json", options->json, "Print the run record as JSON");
  arguments.positional("RUN|:TAG", options->subject, "The run, or how its name begins; or a tag",
                       Completes::run_or_tag);
  arguments.action([&context, options] { return show(context, *options); });
}

}  // namespace kist::cli
