// kist under the name `dstack`: what that program's pages show people typing works as typed. Most commands are kist's
// own, speaking in the system's words (Context::own_system); here are those whose tables differ, and those that kist
// does not do (yet), which say so by name.
#include <array>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

constexpr std::string_view kBackend = "local";

// A home belongs to one person.
std::string owner() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : fmt::format("{}", geteuid());
}

struct DstackPsOptions {
  std::optional<std::string> run;
  bool all = false;
  bool verbose = false;
};

Result<std::vector<catalog::RunSummary>> chosen(House& house, const DstackPsOptions& options) {
  if (options.run) {
    KIST_TRY_ASSIGN(const auto name, find_run(house, *options.run, Naming::prefix));
    KIST_TRY_ASSIGN(auto runs, list_runs(house, {}));
    std::erase_if(runs, [&](const auto& run) { return run.name != name; });
    return runs;
  }
  return options.all ? list_runs(house, {}) : list_current_runs(house, 1);
}

Result<int> ps(Context& context, const DstackPsOptions& options) {
  KIST_TRY_ASSIGN(const auto runs, chosen(context.house, options));
  std::vector<std::string> headers{"RUN", "WORKFLOW", "SUBMITTED", "OWNER", "STATUS", "TAG", "BACKENDS"};
  if (options.verbose) headers.emplace_back("ERROR");
  Table table(headers);
  const Time at = now();
  for (const auto& run : runs) {
    const std::string tag = run.tags.empty() ? "" : run.tags.front();
    table.add({run.name,
               run.workflow,
               how_long_ago(run.created, at),
               owner(),
               {context.state_word(run.state, run.dialect), color_of(run.state)},
               tag,
               kBackend,
               options.verbose ? run.message : ""});
  }
  print(table.to_text(context.colored_output()));
  return 0;
}

void declare_ps_as_dstack(Arguments& arguments, Context& context) {
  auto options = std::make_shared<DstackPsOptions>();
  arguments.flag("-a,--all", options->all, "All runs, not only the unfinished or the last");
  arguments.flag("-v,--verbose", options->verbose, "What went wrong, too");
  arguments.positional("RUN", options->run, "Only this run", Completes::run);
  arguments.action([&context, options] { return ps(context, *options); });
}

Result<int> list_tags(Context& context) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto tags, catalog->tags());
  Table table({"TAG", "CREATED", "RUN", "OWNER", "BACKENDS"});
  const Time at = now();
  for (const auto& tag : tags) table.add({tag.name, how_long_ago(tag.created, at), tag.run, owner(), kBackend});
  print(table.to_text(context.colored_output()));
  return 0;
}

void declare_tags_as_dstack(Arguments& arguments, Context& context) {
  declare_tags(arguments, context);
  arguments.action([&context] { return list_tags(context); });
  arguments.command("list", "").action([&context] { return list_tags(context); });
}

void declare_init(Arguments& arguments, Context& context) {
  auto ignored = std::make_shared<std::vector<std::string>>();
  arguments.words("ARGS", *ignored, "Accepted: there is nothing to prepare", Completes::nothing);
  arguments.action([&context, ignored]() -> Result<int> {
    context.done("Nothing to prepare");
    return 0;
  });
}

void declare_not_yet(Arguments& arguments, std::string_view name, std::string_view instead) {
  auto ignored = std::make_shared<std::vector<std::string>>();
  arguments.words("ARGS", *ignored, "", Completes::nothing);
  arguments.action([ignored, text = fmt::format("not supported yet: {}; {}", name, instead)]() -> Result<int> {
    return fail(ErrorKind::unsupported, text);
  });
}

void declare_config(Arguments& arguments, Context&) {
  declare_not_yet(arguments, "config", "`kist remote add` names where `push` and `pull` go");
}
void declare_prune(Arguments& arguments, Context&) {
  declare_not_yet(arguments, "prune", "there are no caches");
}
void declare_secrets_as_dstack(Arguments& arguments, Context&) {
  declare_not_yet(arguments, "secrets", "`dstack run -e NAME` hands on a variable of yours");
}

}  // namespace

std::span<const Command> dstack_commands() {
  static constexpr std::string_view kCommand = "Commands";
  static constexpr std::string_view kNotYet;  // answers, but is not shown
  static constexpr auto kCommands = std::to_array<Command>({
      {"run", "Run a workflow", declare_run, kCommand},
      {"ps", "List runs", declare_ps_as_dstack, kCommand},
      {"stop", "Stop a run, or abort it with -x", declare_stop, kCommand},
      {"logs", "Show what a run wrote", declare_logs, kCommand},
      {"ls", "List the artifacts of a run or tag", declare_ls, kCommand},
      {"cp", "Copy files out of an artifact", declare_cp, kCommand},
      {"artifacts", "List or download artifacts", declare_artifacts, kCommand},
      {"tags", "List, add or delete tags", declare_tags_as_dstack, kCommand},
      {"push", "Send artifacts to a remote", declare_push, kCommand},
      {"pull", "Fetch artifacts from a remote", declare_pull, kCommand},
      {"rm", "Remove a finished run", declare_rm, kCommand},
      {"init", "Accepted: there is nothing to prepare", declare_init, kCommand},
      {"completion", "Print completions for bash, zsh or fish", declare_completion, kCommand},
      {"secrets", "Manage secrets", declare_secrets_as_dstack, kNotYet},
      {"prune", "Delete caches", declare_prune, kNotYet},
      {"config", "Configure a remote", declare_config, kNotYet},
      {"__complete", "Candidates for the word at the cursor", declare_complete, kNotYet},
  });
  return kCommands;
}

}  // namespace kist::cli
