#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct StopOptions {
  std::optional<std::string> run;
  bool all = false;
  bool abort = false;
  bool yes = false;
};

// Nobody owns it, so nobody would hear the request, and nothing of it is running.
bool is_interrupted(const catalog::Home& home, const catalog::RunSummary& run) {
  return !model::is_final(run.state) && !engine::is_owned(home, run.name);
}

Result<std::vector<std::string>> chosen(Context& context, const StopOptions& options) {
  std::vector<std::string> names;
  if (options.all) {
    KIST_TRY_ASSIGN(const auto runs, list_runs(context.house, {.unfinished_only = true}));
    for (const auto& run : runs)
      if (run.state != model::State::interrupted) names.push_back(run.name);
    return names;
  }
  if (!options.run) return fail(ErrorKind::invalid, "Specify a run name or use --all to stop all workflows");
  KIST_TRY_ASSIGN(names.emplace_back(), find_run(context.house, *options.run, Naming::exact));
  return names;
}

// Waits until the run has ended or lost its owner.
Result<catalog::RunSummary> wait_for_end(catalog::Catalog& catalog, const catalog::Home& home,
                                         const std::string& name) {
  using namespace std::chrono_literals;
  for (auto pause = 5ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 200ms)) {
    KIST_TRY_ASSIGN(auto run, catalog.summary(name));
    if (model::is_final(run.state)) return run;
    if (is_interrupted(home, run)) {
      // It may have ended between the two looks.
      KIST_TRY_ASSIGN(run, catalog.summary(name));
      if (!model::is_final(run.state)) run.state = model::State::interrupted;
      return run;
    }
    std::this_thread::sleep_for(pause);
  }
}

Result<int> stop(Context& context, const StopOptions& options) {
  KIST_TRY_ASSIGN(const auto names, chosen(context, options));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());

  std::vector<std::string> running;
  for (const auto& name : names) {
    KIST_TRY_ASSIGN(const auto run, catalog->summary(name));
    if (model::is_final(run.state)) {
      context.tell(fmt::format("The run '{}' has ended: {}", name, context.state_word(run.state, run.dialect)));
    } else if (is_interrupted(*home, run)) {
      context.done(
          fmt::format("Nothing of the run '{0}' is running: it was interrupted. `kist resume {0}` goes on, `kist rm "
                      "{0}` removes it",
                      name));
    } else {
      running.push_back(name);
    }
  }
  if (running.empty()) return 0;

  const auto question = options.all
                            ? std::string(options.abort ? "Abort all runs?" : "Stop all runs?")
                            : fmt::format("{} the run '{}'?", options.abort ? "Abort" : "Stop", running.front());
  KIST_TRY_ASSIGN(const bool agreed, context.confirm(question, options.yes));
  if (!agreed) return 0;
  const auto kind = options.abort ? catalog::Request::Kind::abort : catalog::Request::Kind::stop;
  for (const auto& name : running) KIST_TRY(catalog->add_request(name, {kind}));
  for (const auto& name : running) {
    KIST_TRY_ASSIGN(const auto run, wait_for_end(*catalog, *home, name));
    context.done(fmt::format("{} {}", name, context.state_word(run.state, run.dialect)));
  }
  return 0;
}

}  // namespace

void declare_stop(Arguments& arguments, Context& context) {
  auto options = std::make_shared<StopOptions>();
  arguments.flag("-x,--abort", options->abort, "Abort: do not wait for the tasks, and keep no artifacts of them");
  arguments.flag("-a,--all", options->all, "All runs");
  arguments.flag("-y,--yes", options->yes, "Do not ask");
  arguments.positional("RUN", options->run, "Its full name", Completes::run);
  arguments.epilogue(
      "Artifacts of a stopped run are kept, as far as they were written. Returns when the run has ended.");
  arguments.action([&context, options] { return stop(context, *options); });
}

}  // namespace kist::cli
