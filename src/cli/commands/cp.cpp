#include <filesystem>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

struct CpOptions {
  std::string subject;
  std::string source;
  std::string target;
};

// What a file is called that is copied into a directory; a file artifact has no name in the store.
std::string file_name_of(const model::Resolved& found) {
  if (!found.inside.empty()) return fs::path(found.inside).filename().string();
  const auto name = fs::path(found.artifact.artifact->path).filename();
  return name.empty() ? fs::path(found.artifact.artifact->name).filename().string() : name.string();
}

Result<int> cp(Context& context, const CpOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(const auto found, find_artifact(run, options.source));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const store::ArtifactId id{found.artifact.artifact->tree, found.artifact.artifact->times};
  const auto entry = store->find(id, found.inside);
  if (!entry && entry.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, fmt::format("Artifact source path '{}' does not exist", options.source));
  if (!entry) return std::unexpected(entry.error());

  std::error_code ignored;
  fs::path target = options.target;
  const bool is_directory = fs::is_directory(target, ignored);
  const bool must_be_directory = entry->type == store::EntryType::directory || options.target.ends_with('/');
  if (must_be_directory && !is_directory && fs::exists(fs::symlink_status(target, ignored))) {
    return fail(ErrorKind::invalid,
                fmt::format("Local target path '{}' exists and is not a directory", options.target));
  }
  if (entry->type != store::EntryType::directory && (is_directory || must_be_directory)) target /= file_name_of(found);
  if (const auto parent = fs::absolute(target).lexically_normal().parent_path(); !fs::is_directory(parent, ignored)) {
    std::error_code failed;
    fs::create_directories(parent, failed);
    if (failed) return fail_errno(fmt::format("making {}", parent.string()), failed.value());
  }
  std::vector<std::string> left_out;
  KIST_TRY(store->restore(id, found.inside, target, {.overwrite = true, .merge = true, .notices = &left_out}));
  for (const auto& notice : left_out) context.tell(notice);
  context.done("Artifact files copied");
  return 0;
}

}  // namespace

void declare_cp(Arguments& arguments, Context& context) {
  auto options = std::make_shared<CpOptions>();
  arguments.positional("RUN|:TAG", options->subject, "Whose artifact", Completes::run_or_tag);
  arguments.positional("SOURCE", options->source, "An artifact, or a file or directory in it", Completes::artifact);
  arguments.positional("TARGET", options->target,
                       "Where to: a directory's contents are merged into it, a file is written to it, or into it where "
                       "it is a directory or ends with '/'",
                       Completes::file);
  arguments.action([&context, options] { return cp(context, *options); });
}

}  // namespace kist::cli
