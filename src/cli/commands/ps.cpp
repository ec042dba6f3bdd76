#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/runs.hpp"

namespace kist::cli {

namespace {

constexpr std::size_t kNewest = 10;

struct Options {
  bool all = false;
  bool json = false;
};

Result<int> act(Context& context, const Options& options) {
  KIST_TRY_ASSIGN(auto runs, options.all ? list_runs(context.house, {}) : list_current_runs(context.house, kNewest));
  if (options.json) {
    Json list = Json::array();
    for (const auto& run : runs) list.push_back(summary_as_json(run));
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
  if (runs.empty()) context.tell(options.all ? "No runs yet: `kist run` makes one" : "No runs yet");
  return 0;
}

}  // namespace

void declare_ps(Arguments& arguments, Context& context) {
  auto options = std::make_shared<Options>();
  arguments.flag("-a,--all", options->all, "All runs, not only the unfinished or, where there are none, the newest");
  arguments.flag("--json", options->json, "Print JSON: an array, newest first");
  arguments.action([&context, options] { return act(context, *options); });
}

}  // namespace kist::cli
