#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/perform.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct ResumeOptions {
  std::string run;
  bool detach = false;
  std::optional<std::string> jobs;
};

Result<int> resume(Context& context, const ResumeOptions& options) {
  KIST_TRY_ASSIGN(const int jobs, read_jobs(options.jobs));
  KIST_TRY_ASSIGN(const auto name, find_run(context.house, options.run, Naming::prefix));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto run, catalog->run(name));
  if (model::is_final(run.state)) {
    return fail(ErrorKind::conflict, fmt::format("The run '{}' has ended ({}); only an interrupted run is resumed",
                                                 name, to_string(run.state)));
  }
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  if (engine::is_owned(*home, name))
    return fail(ErrorKind::conflict, fmt::format("The run '{0}' goes on in another process; `kist logs -f {0}` follows "
                                                 "it, `kist stop {0}` stops it",
                                                 name));
  KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(dialects(), run.dialect));
  // The launcher and the split want a process without open databases: the house is opened anew behind them.
  context.house = House();
  return perform(context, {.dialect = dialect,
                           .files = run.request.files,
                           .detach = options.detach,
                           .jobs = jobs,
                           .begin = [&](engine::Engine&, const NoticeSink&) -> Result<std::string> { return name; }});
}

}  // namespace

void declare_resume(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ResumeOptions>();
  arguments.flag("-d,--detach", options->detach, "Return at once; the run goes on by itself");
  arguments.option("-j,--jobs", "N", options->jobs, "At most so many tasks at once");
  arguments.positional("RUN", options->run, "The run, or how its name begins", Completes::run);
  arguments.epilogue("Finished steps are not repeated; one that was under way starts anew, in fresh scratch.");
  arguments.action([&context, options] { return resume(context, *options); });
}

}  // namespace kist::cli
