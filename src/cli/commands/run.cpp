#include <charconv>
#include <filesystem>
#include <list>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "catalog/documents.hpp"
#include "catalog/secrets.hpp"
#include "cli/commands/table.hpp"
#include "cli/diagnostics.hpp"
#include "cli/perform.hpp"
#include "cli/perform_each.hpp"
#include "cli/remotes.hpp"
#include "cli/request.hpp"
#include "cli/subject.hpp"
#include "cli/supply.hpp"

namespace kist::cli {

namespace {

// A flag of a dialect, as declared here; its values.
struct SystemFlag {
  std::string name;
  bool takes_value = true;
  bool given = false;
  std::vector<std::string> values = {};
};

struct RunOptions {
  Asked asked;
  std::list<SystemFlag> system_flags;  // a list: the parser keeps their addresses
  bool detach = false;
  bool to_remote = false;
  std::optional<std::string> remote;
  std::optional<std::string> jobs;
};

constexpr std::string_view kNotYet = "not supported yet";

// kist's own names come first: a dialect's flag of the same name is left out.
void declare_system_flags(Arguments& arguments, RunOptions& options, const Context& context) {
  for (const auto* dialect : dialects()) {
    if (context.own_system() != nullptr && dialect != context.own_system()) continue;
    for (const auto& flag : dialect->run_flags()) {
      if (arguments.has_option("--" + flag.name)) continue;
      auto& declared =
          options.system_flags.emplace_back(SystemFlag{.name = flag.name, .takes_value = flag.takes_value});
      const bool has_short = !flag.short_name.empty() && !arguments.has_option("-" + flag.short_name);
      const auto names = has_short ? fmt::format("-{},--{}", flag.short_name, flag.name) : "--" + flag.name;
      const auto help = flag.help.starts_with(kNotYet) ? "" : fmt::format("{}: {}", dialect->name(), flag.help);
      if (flag.takes_value) {
        arguments.option(names, "VALUE", declared.values, help);
      } else {
        arguments.flag(names, declared.given, help);
      }
    }
  }
}

// What was asked for; a name that no project and no file has may be of a document that was applied.
Result<Prepared> prepare_kept(Context& context, const Asked& asked, const std::filesystem::path& directory) {
  auto prepared = prepare(dialects(), asked, directory, context.own_system());
  if (prepared || asked.words.empty() || context.own_system() != nullptr) return prepared;
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(const auto kept, catalog::Documents(*home).list());
  for (const auto& document : kept) {
    if (document.name != asked.words.front() || document.kind == "ConfigMap") continue;
    Asked again = asked;
    again.words.front() = document.path.string();
    return prepare(dialects(), again, directory, nullptr);
  }
  return prepared;
}

Status supply_one(Context& context, model::RunRequest& request, const model::Dialect& dialect,
                  const std::vector<model::SourceText>& library) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  const catalog::Documents documents(*home);
  for (const auto* files : {&std::as_const(request.files), &library}) {
    for (const auto& file : *files) {
      // What is wrong with a file is said where it is lowered.
      const auto kept = dialect.kept_documents(file);
      if (!kept) continue;
      for (const auto& document : *kept) {
        if (!document.secret) continue;
        KIST_TRY(catalog::Secrets(*home).put(document.name, {document.secret->begin(), document.secret->end()}));
        fmt::print(stderr, "secret {} of {} is kept in this home: `kist secrets`\n", document.name, file.name);
      }
    }
  }
  KIST_TRY_ASSIGN(const auto used, supply(request, dialect, library, &documents));
  for (const auto& text : used) fmt::print(stderr, "{}\n", text);
  return {};
}

Result<int> run(Context& context, RunOptions& options) {
  std::optional<NamedRemote> remote;
  if (options.to_remote) {
    // A remote that cannot be reached is better known now than when the work is done.
    KIST_TRY_ASSIGN(auto opened, open_remote(context.house, options.remote));
    remote = std::move(opened.named);
  }
  for (const auto& flag : options.system_flags) {
    if (flag.given) options.asked.options.emplace_back(flag.name, "");
    for (const auto& value : flag.values) options.asked.options.emplace_back(flag.name, value);
  }
  if (options.asked.tag) {
    KIST_TRY_ASSIGN(options.asked.tag, tag_name(*options.asked.tag));
  }
  if (auto& from = options.asked.restore_from; from && !from->starts_with(':')) {
    KIST_TRY_ASSIGN(from, find_run(context.house, *from, Naming::prefix));
    // The launcher and the split want a process without open databases: the house is opened anew behind them.
    context.house = House();
  }
  KIST_TRY_ASSIGN(const int jobs, read_jobs(options.jobs));
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return fail_errno("finding the current directory", failed.value());
  KIST_TRY_ASSIGN(auto prepared, prepare_kept(context, options.asked, directory));
  for (const auto& warning : prepared.warnings)
    fmt::print(stderr, "{}",
               explain({.level = model::Notice::Level::warning, .origin = {}, .text = warning}, prepared.request.files,
                       context.colored_errors()));
  KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(dialects(), prepared.request.dialect));
  const auto perform_one = [&](const model::RunRequest& request, const task::SpareStarters* spare) {
    return perform(context, {.dialect = dialect,
                             .files = request.files,
                             .detach = options.detach,
                             .jobs = jobs,
                             .remote = remote ? std::optional(remote->name) : std::nullopt,
                             .spare = spare,
                             .begin = [&](engine::Engine& engine, const NoticeSink& notice) {
                               return engine.submit(request, notice);
                             }});
  };
  KIST_TRY(supply_one(context, prepared.request, *dialect, prepared.library));
  for (auto& request : prepared.further) KIST_TRY(supply_one(context, request, *dialect, {}));
  if (prepared.further.empty()) return perform_one(prepared.request, nullptr);

  // None starts where one of them cannot be run.
  std::vector<model::RunRequest> requests{prepared.request};
  requests.insert(requests.end(), prepared.further.begin(), prepared.further.end());
  for (const auto& request : requests) {
    auto lowered = dialect->lower(request);
    if (lowered) continue;
    print_error(context.program(), lowered.error(), request.files, context.colored_errors());
    return exit_code_of(lowered.error());
  }
  context.house = House();
  KIST_TRY_ASSIGN(const auto spare, task::SpareStarters::make());
  return perform_each(requests.size(), [&](std::size_t i) { return perform_one(requests[i], &spare); });
}

}  // namespace

void declare_run(Arguments& arguments, Context& context) {
  auto options = std::make_shared<RunOptions>();
  arguments.flag("-d,--detach", options->detach, "Print the run's name and return; the run goes on by itself");
  arguments.option("-t,--tag", "TAG", options->asked.tag, "Tag the run at once; a tag of this name is moved",
                   Completes::tag);
  arguments.option("-p,--parameter", "NAME=VALUE", options->asked.parameters, "A parameter of the workflow");
  arguments.option("-e,--env", "NAME=VALUE", options->asked.environment,
                   "An environment variable of its tasks; NAME alone hands on yours");
  arguments.option("--name", "NAME", options->asked.name, "The run's name, instead of one that kist makes up");
  arguments.option("--restore-from", "RUN|:TAG", options->asked.restore_from,
                   "Its mounted artifacts begin with what that run left in them", Completes::run_or_tag);
  arguments.flag("--cached", options->asked.cached,
                 "Take the outputs of steps from earlier runs that did the same with the same inputs");
  arguments.option("-j,--jobs", "N", options->jobs, "At most so many tasks at once");
  arguments.option(
      "--remote", "[NAME]", options->to_remote, options->remote,
      "Send the run to a remote when it ends, the default one without NAME; it is finished when all of it is there",
      [&context](const std::string& word) {
        const auto home = context.house.home();
        const auto remotes = home ? Remotes::load(**home) : std::unexpected(home.error());
        return remotes && remotes->find(word).has_value();
      },
      Completes::remote);
  declare_system_flags(arguments, *options, context);
  arguments.words(
      "[WORKFLOW|FILE] [ARGS…]", options->asked.words,
      "A workflow of this project, or a file (- reads standard input) and, where it has several, one of its "
      "workflows; further words are the workflow's own arguments, and so is all that follows --",
      Completes::workflow);
  arguments.epilogue(
      "Ctrl+C stops the run and keeps its artifacts; a second Ctrl+C aborts it.\n"
      "A Python file that defines several workflows with Hera runs one after the other.\n"
      "Exit code: 0 succeeded, 1 failed or stopped, 2 wrong input, 3 kist could not, 130 after Ctrl+C.");
  arguments.action([&context, options] { return run(context, *options); });
}

}  // namespace kist::cli
