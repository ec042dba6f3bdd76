#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "expression/selector.hpp"

namespace kist::cli {

namespace {

constexpr std::size_t kNewest = 10;

struct PsOptions {
  bool all = false;
  bool json = false;
  std::optional<std::string> labels;
};

// Of all runs those with such labels.
Result<std::vector<catalog::RunSummary>> labelled(Context& context, const std::string& selector) {
  KIST_TRY_ASSIGN(const auto requirements, expression::parse_selector(selector));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto all, list_runs(context.house, {}));
  std::vector<catalog::RunSummary> chosen;
  for (const auto& run : all) {
    KIST_TRY_ASSIGN(const auto marks, catalog->marks(run.name));
    const auto value = [&](std::string_view key) -> std::optional<std::string> {
      for (const auto& [name, text] : marks.labels)
        if (name == key) return text;
      return std::nullopt;
    };
    if (expression::all_hold(requirements, value)) chosen.push_back(run);
  }
  return chosen;
}

Result<std::vector<catalog::RunSummary>> chosen(Context& context, const PsOptions& options) {
  if (options.labels) return labelled(context, *options.labels);
  return options.all ? list_runs(context.house, {}) : list_current_runs(context.house, kNewest);
}

Result<Json> as_json(catalog::Catalog& catalog, const catalog::RunSummary& run) {
  Json json = summary_as_json(run);
  KIST_TRY_ASSIGN(const auto marks, catalog.marks(run.name));
  Json& labels = json["labels"] = Json::object();
  for (const auto& [name, text] : marks.labels) labels[name] = text;
  return json;
}

Result<int> ps(Context& context, const PsOptions& options) {
  KIST_TRY_ASSIGN(const auto runs, chosen(context, options));
  if (options.json) {
    Json list = Json::array();
    KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
    for (const auto& run : runs) {
      KIST_TRY_ASSIGN(Json one, as_json(*catalog, run));
      list.push_back(std::move(one));
    }
    print_json(list);
    return 0;
  }
  Table table({"RUN", "WORKFLOW", "STATUS", "STARTED", "DURATION", "TAGS"});
  const Time at = now();
  for (const auto& run : runs) {
    table.add({run.name,
               run.workflow,
               {std::string(to_string(run.state)), color_of(run.state)},
               how_long_ago(run.started == Time{} ? run.created : run.started, at),
               run.state == model::State::interrupted ? "" : duration_text(run.started, run.finished),
               fmt::format("{}", fmt::join(run.tags, ", "))});
  }
  print(table.to_text(context.colored_output()));
  if (runs.empty() && options.labels) {
    context.tell("No run has such labels");
    return 0;
  }
  if (runs.empty()) context.tell(options.all ? "No runs yet: `kist run` makes one" : "No runs yet");
  return 0;
}

}  // namespace

void declare_ps(Arguments& arguments, Context& context) {
  auto options = std::make_shared<PsOptions>();
  arguments.flag("-a,--all", options->all, "All runs, not only the unfinished or, where there are none, the newest");
  arguments.option("-l,--selector", "LABELS", options->labels, "Of all runs those with such labels: \"app=x, !old\"");
  arguments.flag("--json", options->json, "Print JSON: an array, newest first");
  arguments.action([&context, options] { return ps(context, *options); });
}

}  // namespace kist::cli
