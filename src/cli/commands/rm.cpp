#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/table.hpp"
#include "cli/freeing.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct RmOptions {
  std::vector<std::string> runs;
  bool all = false;
  bool yes = false;
  bool force = false;
};

bool may_be_removed(model::State state) {
  return model::is_final(state) || state == model::State::interrupted;
}

Result<std::vector<catalog::RunSummary>> chosen(Context& context, const RmOptions& options) {
  std::vector<catalog::RunSummary> runs;
  if (options.all) {
    KIST_TRY_ASSIGN(runs, list_runs(context.house, {}));
    std::erase_if(runs, [](const auto& run) { return !may_be_removed(run.state); });
    return runs;
  }
  if (options.runs.empty()) return fail(ErrorKind::invalid, "Specify a run name or use --all to delete all runs");
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  for (const auto& word : options.runs) {
    KIST_TRY_ASSIGN(const auto name, find_run(context.house, word, Naming::exact));
    KIST_TRY_ASSIGN(runs.emplace_back(), catalog->summary(name));
  }
  return runs;
}

Result<int> rm(Context& context, const RmOptions& options) {
  KIST_TRY_ASSIGN(const auto runs, with_reserve(context.house, [&] { return chosen(context, options); }));
  if (runs.empty()) return 0;
  const auto question = options.all        ? std::string("Delete all runs?")
                        : runs.size() == 1 ? fmt::format("Delete the run '{}'?", runs.front().name)
                                           : fmt::format("Delete {} runs?", runs.size());
  KIST_TRY_ASSIGN(const bool agreed, context.confirm(question, options.yes));
  if (!agreed) return 0;
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  auto tell = [](const std::string& notice) { fmt::print(stderr, "{}\n", notice); };
  for (const auto& run : runs) {
    auto removed =
        with_reserve(context.house, [&] { return engine::remove_run(parts, run.name, options.force, tell); });
    if (!removed && removed.error().kind == ErrorKind::conflict)
      return fail(ErrorKind::conflict, fmt::format("{}: The run is not finished yet. Stop the run first.", run.name));
    if (!removed) return std::unexpected(std::move(removed).error());
    context.done(run.tags.empty() ? fmt::format("{} removed", run.name)
                                  : fmt::format("{} removed; its artifacts are still there as :{}", run.name,
                                                fmt::join(run.tags, ", :")));
  }
  return 0;
}

}  // namespace

void declare_rm(Arguments& arguments, Context& context) {
  auto options = std::make_shared<RmOptions>();
  arguments.flag("-a,--all", options->all, "All finished and interrupted runs");
  arguments.flag("-y,--yes", options->yes, "Do not ask");
  arguments.flag("-f,--force", options->force,
                 "Also where not all that it sent to other places could be deleted there");
  arguments.positionals("RUN", options->runs, false, "Its full name", Completes::run);
  arguments.epilogue("The tags of a run keep its artifacts.");
  arguments.action([&context, options] { return rm(context, *options); });
}

}  // namespace kist::cli
