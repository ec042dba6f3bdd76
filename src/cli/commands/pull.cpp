#include <filesystem>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/request.hpp"
#include "cli/transfers.hpp"

namespace kist::cli {

namespace {

struct PullCommandOptions {
  std::vector<std::string> subjects;
  std::optional<std::string> remote;
  std::optional<std::string> as;
  bool force = false;
};

// The project one stands in: runs that are pulled belong to it, wherever its directory was when they were made.
Result<std::optional<std::string>> current_project() {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return std::nullopt;
  KIST_TRY_ASSIGN(const auto project, find_project(dialects(), directory));
  if (!project) return std::nullopt;
  return project->directory.string();
}

Result<int> pull(Context& context, const PullCommandOptions& options) {
  if (options.as && options.subjects.size() != 1)
    return fail(ErrorKind::invalid, "--as names one run: pull the others by themselves");
  PullOptions how{.project = {}, .as = options.as, .force = options.force};
  KIST_TRY_ASSIGN(how.project, current_project());
  KIST_TRY_ASSIGN(auto remote, open_remote(context.house, options.remote));
  for (const auto& word : options.subjects) {
    store::Transfer transfer;
    std::optional<TransferDisplay> display(std::in_place, fmt::format("Fetching {}", word), transfer);
    const auto pulled = pull_from(context.house, remote, word, how, transfer);
    display.reset();
    if (!pulled) return std::unexpected(pulled.error());
    context.done(fmt::format("Pull completed: {}{}, {} fetched{}", pulled->run,
                             pulled->tag ? fmt::format(" (:{})", *pulled->tag) : "", human_size(transfer.done),
                             pulled->was_here ? "; the run was here already" : ""));
  }
  return 0;
}

}  // namespace

void declare_pull(Arguments& arguments, Context& context) {
  auto options = std::make_shared<PullCommandOptions>();
  arguments.option("--remote", "NAME", options->remote, "Where from, instead of the default remote", Completes::remote);
  arguments.option("--as", "NAME", options->as, "The run's name here, where another run has its own");
  arguments.flag("--force", options->force, "Move a tag here although it is of another run");
  arguments.positionals("RUN|:TAG", options->subjects, true, "Runs or tags of the remote, by their full names",
                        Completes::nothing);
  arguments.epilogue(
      "Only what is not here is fetched, and checked. A pull that was interrupted goes on where it was when it is done "
      "again.");
  arguments.action([&context, options] { return pull(context, *options); });
}

}  // namespace kist::cli
