#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/terminal.hpp"
#include "base/utf8.hpp"
#include "cli/commands/table.hpp"
#include "cli/lineage.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct WhyOptions {
  std::string subject;
  std::string path;
  bool json = false;
};

constexpr std::size_t kScriptLines = 8;
constexpr std::size_t kDigestShown = 19;  // "sha256:" and twelve digits

std::string text_of(const Json& value, const char* key) {
  const auto found = value.find(key);
  return found == value.end() || !found->is_string() ? "" : printable(found->get<std::string>());
}

// A tree of lines for a terminal.
struct Line {
  std::string text;
  std::vector<Line> below = {};
};

void print_tree(const Line& line, const std::string& lead) {
  for (std::size_t i = 0; i < line.below.size(); ++i) {
    const bool last = i + 1 == line.below.size();
    print(fmt::format("{}{} {}\n", lead, last ? "└─" : "├─", line.below[i].text));
    print_tree(line.below[i], lead + (last ? "   " : "│  "));
  }
}

class Story {
 public:
  explicit Story(bool colored) : colored_(colored) {}

  Line tell(const Json& story) const {
    std::string text = paint(text_of(story, "name"), Color::bold, colored_) + "  " + text_of(story, "type");
    if (story.contains("size")) text += ", " + human_size(story["size"].get<std::uint64_t>());
    if (story.contains("digest")) text += ", " + faint(text_of(story, "digest").substr(0, kDigestShown));
    if (story.contains("target")) text += " -> " + text_of(story, "target");
    return {std::move(text), {step(story["made_by"])}};
  }

 private:
  std::string faint(std::string_view text) const { return paint(text, Color::faint, colored_); }

  Line step(const Json& step) const {
    const std::string name = text_of(step, step.contains("display") ? "display" : "name");
    Line line{fmt::format("made by {} of run {}", paint(name, Color::bold, colored_),
                          paint(text_of(step, "run"), Color::bold, colored_))};
    if (step.contains("told")) {
      line.text += faint("  (told above)");
      return line;
    }
    if (const auto workflow = text_of(step, "workflow"); !workflow.empty())
      line.text += fmt::format(", workflow {}", workflow);
    line.text += fmt::format(" ({}), {}", text_of(step, "dialect"), text_of(step, "status"));
    if (const auto finished = text_of(step, "finished"); !finished.empty())
      line.text += faint(fmt::format(" {}Z", finished.substr(0, std::min(finished.find('.'), finished.size()))));
    if (step.contains("attempt")) line.text += fmt::format(", attempt {}", step["attempt"].get<int>());
    const auto definition = text_of(step, "definition");
    const auto written = text_of(step, "written_at");
    if (!definition.empty() || !written.empty())
      line.below.push_back({fmt::format("definition {}{}", definition, written.empty() ? "" : "  " + faint(written))});
    if (step.contains("commands"))
      for (const Json& command : step["commands"]) line.below.push_back(command_line(command));
    if (step.contains("parameters"))
      for (const Json& parameter : step["parameters"])
        line.below.push_back(
            {fmt::format("parameter {} = {}", text_of(parameter, "name"), text_of(parameter, "value"))});
    for (const Json& input : step["inputs"]) line.below.push_back(input_line(input, step["project"]));
    line.below.push_back(project_line(step["project"]));
    return line;
  }

  Line command_line(const Json& command) const {
    std::string words;
    if (command.contains("command"))
      for (const Json& word : command["command"])
        words += (words.empty() ? "" : " ") + printable(word.get<std::string>());
    Line line{fmt::format("command {}", paint(words, Color::green, colored_))};
    if (!command.contains("script")) return line;
    std::string_view rest = command["script"].get_ref<const std::string&>();
    for (std::size_t number = 0; !rest.empty(); ++number) {
      if (number == kScriptLines) {
        line.below.push_back({"…"});
        break;
      }
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      line.below.push_back({paint(printable(rest.substr(0, end)), Color::green, colored_)});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return line;
  }

  Line input_line(const Json& input, const Json& its_project) const {
    const std::string kind = text_of(input, "kind");
    const std::string name = text_of(input, "name");
    const std::string path = text_of(input, "path");
    const std::string at = path.empty() || path == name ? "" : fmt::format(" at {}", path);
    if (kind == "project") {
      Line line = project_line(its_project);
      line.text = fmt::format("input {}{}: the {}", name, at, line.text);
      return line;
    }
    if (kind == "text") {
      const auto& text = input["text"].get_ref<const std::string&>();
      return {fmt::format("input {}{}: written in the workflow's file, {}: {}", name, at,
                          human_size(input["bytes"].get<std::uint64_t>()),
                          faint(printable(std::string_view(text).substr(
                              0, std::min({std::size_t{60}, text.find('\n'), text.size()})))))};
    }
    Line line{fmt::format("input {}{}: {} {}, {}", paint(name, Color::bold, colored_), at,
                          input["files"].get<std::uint64_t>(), input["files"] == 1 ? "file" : "files",
                          human_size(input["bytes"].get<std::uint64_t>()))};
    if (input.contains("unchanged")) line.text += "  (what you ask about is in it, unchanged)";
    if (input.contains("by_tag")) line.text += fmt::format(", by the tag {}", text_of(input, "by_tag"));
    if (input.contains("by_workflow"))
      line.text += fmt::format(", the newest run of {} then", text_of(input, "by_workflow"));
    if (input.contains("made_by")) {
      line.below.push_back(step(input["made_by"]));
    } else if (input.contains("lost")) {
      const auto run = text_of(input, "run");
      line.below.push_back({fmt::format("made by {}{}, of which nothing is known any more", text_of(input, "lost"),
                                        run.empty() ? "" : " of run " + run)});
    } else {
      line.below.push_back({"who made it was not recorded"});
    }
    return line;
  }

  Line project_line(const Json& project) const {
    std::string text = fmt::format("project {}", text_of(project, "path"));
    if (project.contains("commit")) {
      text += fmt::format(", commit {}", paint(text_of(project, "commit").substr(0, 12), Color::yellow, colored_));
      if (project.contains("branch")) text += fmt::format(" ({})", text_of(project, "branch"));
      if (project.contains("modified")) text += ", with files changed since";
    }
    Line line{std::move(text)};
    for (const Json& file : project["files"])
      line.below.push_back({fmt::format("file {}", printable(file.get<std::string>()))});
    return line;
  }

  bool colored_;
};

Result<int> why(Context& context, const WhyOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(const auto found, find_artifact(run, options.path));
  Lineage lineage(context.house);
  KIST_TRY_ASSIGN(const Json story, lineage.of(run, found));
  if (options.json) {
    print_json(story);
    return 0;
  }
  const Line line = Story(context.colored_output()).tell(story);
  print(line.text + "\n");
  print_tree(line, "");
  return 0;
}

}  // namespace

void declare_why(Arguments& arguments, Context& context) {
  auto options = std::make_shared<WhyOptions>();
  arguments.flag("--json", options->json, "Print JSON");
  arguments.positional("RUN|:TAG", options->subject, "Whose artifact", Completes::run_or_tag);
  arguments.positional("PATH", options->path, "An artifact, or a file or directory in it", Completes::artifact);
  arguments.action([&context, options] { return why(context, *options); });
}

}  // namespace kist::cli
