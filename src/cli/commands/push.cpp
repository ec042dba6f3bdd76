#include <filesystem>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/plain.hpp"
#include "cli/subject.hpp"
#include "cli/transfers.hpp"

namespace kist::cli {

namespace {

struct PushOptions {
  std::vector<std::string> subjects;
  std::optional<std::string> remote;
  std::optional<std::string> plain;
  std::optional<std::string> as;
  bool tags = false;
  bool force = false;
};

Result<std::vector<Sending>> sendings_of(House& house, const PushOptions& options) {
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

Result<int> publish(Context& context, const PushOptions& options) {
  if (options.remote || options.as || options.tags || options.force)
    return fail(ErrorKind::invalid, "--plain goes to a bucket: it has neither remote, tags nor names of runs");
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return fail_errno("finding the current directory", failed.value());
  KIST_TRY_ASSIGN(const auto bucket, read_remote("", *options.plain, {}, directory));
  for (const auto& word : options.subjects) {
    KIST_TRY_ASSIGN(const auto run, find_record(context.house, word));
    KIST_TRY_ASSIGN(const auto published, publish_plain(context.house, bucket, run));
    for (const auto& left_out : published.left_out)
      fmt::print(stderr, "left out: {}: a bucket has no links\n", left_out);
    context.tell(fmt::format("{}: {} objects, {}", run.name, published.objects, human_size(published.bytes)));
  }
  context.done("Push completed");
  return 0;
}

Result<int> push(Context& context, const PushOptions& options) {
  if (options.plain) return publish(context, options);
  KIST_TRY_ASSIGN(auto sendings, sendings_of(context.house, options));
  std::optional<Renamed> renamed;
  if (options.as) {
    if (options.subjects.size() != 1)
      return fail(ErrorKind::invalid, "--as names one run: push the others by themselves");
    KIST_TRY_ASSIGN(renamed, rename(context.house, sendings.back(), *options.as));
    for (auto& sending : sendings) {
      sending.run = renamed->sending.run;
      sending.record = renamed->sending.record;
    }
  }
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
  auto options = std::make_shared<PushOptions>();
  arguments.option("--remote", "NAME", options->remote, "Where to, instead of the default remote", Completes::remote);
  arguments.option("--plain", "s3://BUCKET/PREFIX", options->plain,
                   "Instead, put each artifact under the key its own system would give it");
  arguments.option("--as", "NAME", options->as, "The run's name there, where another run has its own");
  arguments.flag("--tags", options->tags, "All tags of these runs, too");
  arguments.flag("--force", options->force, "Move a tag there although somebody else set it");
  arguments.positionals("RUN|:TAG", options->subjects, true, "Finished runs, or tags with their runs",
                        Completes::run_or_tag);
  arguments.epilogue(
      "Only what the remote lacks is sent. A push that was interrupted goes on where it was when it is done again.");
  arguments.action([&context, options] { return push(context, *options); });
}

}  // namespace kist::cli
