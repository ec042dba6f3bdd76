#include <filesystem>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/listing.hpp"
#include "cli/packing.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

struct ArtifactsListOptions {
  std::string subject;
  bool json = false;
};

Result<int> list(Context& context, const ArtifactsListOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const ListingOptions listing{.prefix = "", .recursive = true, .digests = options.json};
  KIST_TRY(print_listing(*store, run, listing, options.json, context.colored_output()));
  return 0;
}

struct ArtifactsDownloadOptions {
  std::string subject;
  std::optional<std::string> directory;
  std::optional<std::string> output;
  bool packed = false;
};

// Addresses are made of names that workflow files choose.
Status check_stays_below(const std::string& address) {
  for (const auto& part : fs::path(address)) {
    if (part == ".." || part == "/")
      return fail(ErrorKind::invalid, fmt::format("the artifact '{}' would be written outside the target directory; "
                                                  "`kist cp` writes it where you say",
                                                  address));
  }
  return {};
}

Result<int> download(Context& context, const ArtifactsDownloadOptions& options) {
  if (options.directory && options.output)
    return fail(ErrorKind::invalid, fmt::format("which directory: '{}' or '{}'?", *options.directory, *options.output));
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const fs::path directory = options.output.value_or(options.directory.value_or("."));
  const auto kept = model::addresses(run);
  std::vector<std::string> left_out;
  if (kept.empty()) context.tell(fmt::format("{} has no artifacts", run.name));
  for (const auto& one : kept) {
    KIST_TRY(check_stays_below(one.address));
    const auto target = directory / (options.packed ? packed_name(one) : one.address);
    std::error_code failed;
    fs::create_directories(target.has_parent_path() ? target.parent_path() : fs::path("."), failed);
    if (failed) return fail_errno(fmt::format("making {}", target.parent_path().string()), failed.value());
    const auto& artifact = *one.artifact;
    if (options.packed && artifact.archive.kind != model::Archive::Kind::none) {
      KIST_TRY(pack(*store, artifact, target));
    } else {
      KIST_TRY(store->restore({artifact.tree, artifact.times}, "", target,
                              {.overwrite = true, .merge = true, .notices = &left_out}));
    }
    for (const auto& notice : std::exchange(left_out, {})) context.tell(notice);
    context.tell(fmt::format("{}  {} {}, {}", target.lexically_normal().string(), artifact.files,
                             artifact.files == 1 ? "file" : "files", human_size(artifact.bytes)));
  }
  return 0;
}

}  // namespace

void declare_artifacts(Arguments& arguments, Context& context) {
  auto listing = std::make_shared<ArtifactsListOptions>();
  Arguments& list_command = arguments.command("list", "List every file of every artifact");
  list_command.flag("--json", listing->json, "Print JSON");
  list_command.positional("RUN|:TAG", listing->subject, "Whose artifacts", Completes::run_or_tag);
  list_command.action([&context, listing] { return list(context, *listing); });

  auto downloading = std::make_shared<ArtifactsDownloadOptions>();
  Arguments& download_command = arguments.command("download", "Write all artifacts into a directory");
  download_command.option("-o,--output", "DIR", downloading->output, "The same as DIR", Completes::directory);
  download_command.flag("--packed", downloading->packed,
                        "Each as its workflow presents it: NAME.tgz, NAME.zip, or plain");
  download_command.positional("RUN|:TAG", downloading->subject, "Whose artifacts", Completes::run_or_tag);
  download_command.positional("DIR", downloading->directory,
                              "Where to, made where it is missing; each artifact goes below it by its address. "
                              "Files that are there are replaced. The current directory where it is left out",
                              Completes::directory);
  download_command.action([&context, downloading] { return download(context, *downloading); });
}

}  // namespace kist::cli
