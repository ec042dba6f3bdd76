#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/perform.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct RetryOptions {
  std::string run;
  std::vector<std::string> steps;
  std::vector<std::string> parameters;
  bool detach = false;
  std::optional<std::string> jobs;
};

Result<int> retry(Context& context, const RetryOptions& options) {
  KIST_TRY_ASSIGN(const int jobs, read_jobs(options.jobs));
  engine::RetryRequest again{.steps = options.steps};
  for (const std::string& parameter : options.parameters) {
    const auto equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorKind::invalid, fmt::format("'{}' is not NAME=VALUE", parameter));
    again.parameters.emplace_back(parameter.substr(0, equals), parameter.substr(equals + 1));
  }
  KIST_TRY_ASSIGN(const auto name, find_run(context.house, options.run, Naming::prefix));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto run, catalog->run(name));
  KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(dialects(), run.dialect));
  // The launcher and the split want a process without open databases: the house is opened anew behind them.
  context.house = House();
  return perform(context, {.dialect = dialect,
                           .files = run.request.files,
                           .detach = options.detach,
                           .jobs = jobs,
                           .begin = [&](engine::Engine& engine, const NoticeSink& notice) -> Result<std::string> {
                             KIST_TRY(engine.retry(name, again, notice));
                             return name;
                           }});
}

}  // namespace

void declare_retry(Arguments& arguments, Context& context) {
  auto options = std::make_shared<RetryOptions>();
  arguments.flag("-d,--detach", options->detach, "Return at once; the run goes on by itself");
  arguments.option("-p,--parameter", "NAME=VALUE", options->parameters,
                   "A parameter of the workflow, instead of what it was");
  arguments.option("-j,--jobs", "N", options->jobs, "At most so many tasks at once");
  arguments.positional("RUN", options->run, "The run, or how its name begins", Completes::run);
  arguments.positionals("STEP", options->steps, false, "Steps that are to run again though they have succeeded",
                        Completes::step);
  arguments.epilogue(
      "Runs again what has failed, and what came after it, in the same run. What has succeeded keeps its outputs.");
  arguments.action([&context, options] { return retry(context, *options); });
}

}  // namespace kist::cli
