#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/cron.hpp"
#include "base/time.hpp"
#include "cli/commands/table.hpp"
#include "cli/diagnostics.hpp"
#include "cli/request.hpp"
#include "cli/show_model.hpp"
#include "cli/supply.hpp"

namespace kist::cli {

namespace {

struct LintOptions {
  std::vector<std::string> files;
  bool json = false;
  bool show_model = false;
};

// What was found in the files that one dialect reads together.
struct Checked {
  const model::Dialect* dialect = nullptr;
  std::vector<model::SourceText> files;
  std::vector<model::SourceText> further;  // the other files that were named: what this one refers to may be there
  std::vector<model::Notice> notices;      // each once
  std::vector<model::Workflow> workflows;
};

void add_once(std::vector<model::Notice>& notices, model::Notice notice) {
  const auto text = to_string(notice);
  if (std::ranges::none_of(notices, [&](const model::Notice& known) { return to_string(known) == text; }))
    notices.push_back(std::move(notice));
}

// Errors come as lines that name their places themselves.
void add_error(std::vector<model::Notice>& notices, const Error& error) {
  std::string_view text = error.text;
  while (!text.empty()) {
    const auto end = text.find('\n');
    add_once(notices, read_notice(text.substr(0, end), model::Notice::Level::error));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

// "NAME is to run at …", of a workflow with a schedule.
std::optional<std::string> schedule_of(const model::Workflow& workflow) {
  constexpr std::size_t kTimes = 3;
  std::vector<CronLine> lines;
  for (const auto& schedule : workflow.schedules)
    if (auto line = CronLine::parse(schedule)) lines.push_back(std::move(*line));
  if (lines.empty()) return std::nullopt;
  std::vector<std::string> times;
  for (const Time time : next_times(lines, workflow.timezone, now(), kTimes)) times.push_back(to_rfc3339(time));
  if (times.empty()) return fmt::format("{} has a schedule that never comes", workflow.name);
  return fmt::format("{} is to run at {} …; `kist run` runs it once", workflow.name, fmt::join(times, ", "));
}

void check(Checked& checked, const std::string& project, bool named, const catalog::Documents* documents) {
  auto workflows = checked.dialect->workflows(checked.files);
  if (!workflows) {
    add_error(checked.notices, workflows.error());
    return;
  }
  // Of a file that was named and has no workflow, its system knows what it is instead.
  if (named && workflows->empty()) {
    auto kept = checked.dialect->kept_documents(checked.files.front());
    if (kept && !kept->empty()) {
      add_once(checked.notices, {model::Notice::Level::information,
                                 {checked.files.front().name, 0, 0},
                                 fmt::format("{}: no workflow in it, but what others refer to: {} {}",
                                             checked.files.front().name, kept->front().kind, kept->front().name)});
      return;
    }
    workflows->emplace_back();
  }
  for (const auto& workflow : *workflows) {
    model::RunRequest request;
    request.dialect = checked.dialect->name();
    request.project = project;
    request.files = checked.files;
    request.workflow = workflow.name;
    auto used = supply(request, *checked.dialect, checked.further, documents);
    if (!used) {
      add_error(checked.notices, used.error());
      continue;
    }
    for (const auto& text : *used) add_once(checked.notices, {model::Notice::Level::information, {}, text});
    auto lowered = checked.dialect->check(request);
    if (!lowered) {
      add_error(checked.notices, lowered.error());
      continue;
    }
    for (auto& notice : lowered->notices) add_once(checked.notices, std::move(notice));
    if (auto text = schedule_of(lowered->workflow))
      add_once(checked.notices, {model::Notice::Level::information, {}, *text});
    checked.workflows.push_back(std::move(lowered->workflow));
  }
}

Result<std::vector<Checked>> gather(const LintOptions& options, std::string& project) {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return fail_errno("finding the current directory", failed.value());
  project = directory.string();
  std::vector<Checked> all;
  for (const auto& name : options.files) {
    KIST_TRY_ASSIGN(auto given, read_given_file(dialects(), name, directory));
    all.push_back({given.dialect, {std::move(given.source)}, {}, {}, {}});
  }
  for (auto& one : all)
    for (const auto& other : all)
      if (&one != &other && one.dialect == other.dialect && one.dialect->takes_further_files())
        one.further.push_back(other.files.front());
  if (!options.files.empty()) return all;
  KIST_TRY_ASSIGN(auto found, find_project(dialects(), directory));
  if (!found) return fail(ErrorKind::invalid, "no workflow files here or above: name the files to check");
  project = found->directory.string();
  for (auto& offer : found->offers) {
    auto& checked = all.emplace_back(Checked{offer.dialect, std::move(offer.files), {}, {}, {}});
    for (const auto& error : offer.broken) add_error(checked.notices, error);
  }
  return all;
}

// Who only checks files needs no home, and gets none by it.
bool has_home() {
  const char* named = std::getenv("KIST_HOME");
  const char* user = std::getenv("HOME");
  const auto path = named != nullptr && *named != 0 ? std::filesystem::path(named)
                                                    : std::filesystem::path(user == nullptr ? "" : user) / ".kist";
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

Result<int> lint(Context& context, const LintOptions& options) {
  std::string project;
  KIST_TRY_ASSIGN(auto all, gather(options, project));
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::optional<catalog::Documents> documents;
  if (has_home()) {
    KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
    documents.emplace(*home);
  }
  for (auto& checked : all) {
    check(checked, project, !options.files.empty(), documents ? &*documents : nullptr);
    for (const auto& notice : checked.notices) {
      errors += notice.level == model::Notice::Level::error ? 1 : 0;
      warnings += notice.level == model::Notice::Level::warning ? 1 : 0;
    }
  }
  const int code = errors > 0 ? 2 : 0;

  if (options.json) {
    constexpr std::string_view kLevels[] = {"information", "warning", "error"};
    Json list = Json::array();
    for (const auto& checked : all) {
      for (const auto& notice : checked.notices) {
        list.push_back({{"name", notice.origin.file.empty() ? checked.files.front().name : notice.origin.file},
                        {"status", kLevels[static_cast<int>(notice.level)]},
                        {"line", notice.origin.line},
                        {"column", notice.origin.column},
                        {"text", notice.text}});
      }
    }
    print_json(list);
    return code;
  }

  const bool colored = context.colored_errors();
  for (const auto& checked : all)
    for (const auto& notice : checked.notices) {
      fmt::print(stderr, "{}", explain(notice, checked.files, colored));
    }
  if (options.show_model) {
    Json models = Json::array();
    for (const auto& checked : all)
      for (const auto& workflow : checked.workflows) models.push_back(model_as_json(workflow));
    print_json(models.size() == 1 ? models.front() : models);
    return code;
  }
  const auto count = [](std::size_t number, std::string_view word) {
    return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
  };
  if (errors > 0) {
    fmt::print(stderr, "{} {} found{}\n", paint("✖", Color::red, colored), count(errors, "linting error"),
               warnings > 0 ? ", " + count(warnings, "warning") : "");
  } else {
    print(fmt::format("{} no linting errors found!{}\n", paint("✔", Color::green, context.colored_output()),
                      warnings > 0 ? fmt::format(" ({})", count(warnings, "warning")) : ""));
  }
  return code;
}

}  // namespace

void declare_lint(Arguments& arguments, Context& context) {
  auto options = std::make_shared<LintOptions>();
  arguments.flag("--json", options->json, "Print what was found as JSON");
  arguments.flag("--show-model", options->show_model, "Print the workflows as kist understands them, as JSON");
  arguments.positionals("FILE", options->files, false, "Files to check; without one: those of this project",
                        Completes::file);
  arguments.action([&context, options] { return lint(context, *options); });
}

}  // namespace kist::cli
