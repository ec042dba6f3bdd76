#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/transfers.hpp"

namespace kist::cli {

namespace {

struct Options {
  std::vector<std::string> subjects;
  std::optional<std::string> remote;
  bool tags = false;
  bool force = false;
};

Result<std::vector<Sending>> sendings_of(House& house, const Options& options) {
  std::vector<Sending> sendings;
  for (const auto& word : options.subjects) {
    KIST_TRY_ASSIGN(auto sending, find_sending(house, word));
    if (options.tags) {
      KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
      KIST_TRY_ASSIGN(const auto all, catalog->tags());
      for (const auto& tag : all)
        if (tag.record == sending.record && tag.name != sending.tag)
          sendings.push_back({sending.run, sending.record, tag.name});
    }
    sendings.push_back(std::move(sending));
  }
  return sendings;
}

Result<int> act(Context& context, const Options& options) {
  KIST_TRY_ASSIGN(const auto sendings, sendings_of(context.house, options));
  KIST_TRY_ASSIGN(auto remote, open_remote(context.house, options.remote));
  store::Transfer transfer;
  {
    const TransferDisplay display(fmt::format("Sending to {}", remote.named.name), transfer);
    KIST_TRY(push_to(remote, sendings, options.force, transfer));
  }
  context.done(transfer.done == 0
                   ? fmt::format("{} has all of it", remote.named.name)
                   : fmt::format("Push completed: {} sent to {}", human_size(transfer.done), remote.named.name));
  return 0;
}

}  // namespace

void declare_push(Arguments& arguments, Context& context) {
  auto options = std::make_shared<Options>();
  arguments.option("--remote", "NAME", options->remote, "Where to, instead of the default remote", Completes::remote);
  arguments.flag("--tags", options->tags, "All tags of these runs, too");
  arguments.flag("--force", options->force, "Move a tag there although somebody else set it");
  arguments.positionals("RUN|:TAG", options->subjects, true, "Finished runs, or tags with their runs",
                        Completes::run_or_tag);
  arguments.epilogue(
      "Only what the remote lacks is sent. A push that was interrupted goes on where it was when it is done again.");
  arguments.action([&context, options] { return act(context, *options); });
}

}  // namespace kist::cli
