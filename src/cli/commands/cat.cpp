#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.hpp"
#include "cli/commands/table.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct CatOptions {
  std::string subject;
  std::string path;
};

constexpr int kLinkLimit = 40;

// The file a path leads to: links are followed as long as they stay in the artifact.
Result<std::string> follow_links(store::Store& store, const store::ArtifactId& id, std::string path,
                                 const std::string& shown) {
  for (int hops = 0; hops < kLinkLimit; ++hops) {
    KIST_TRY_ASSIGN(const auto entry, store.find(id, path));
    if (entry.type == store::EntryType::directory)
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is a directory; `kist ls` lists it, `kist cp` copies it", shown));
    if (entry.type == store::EntryType::file) return path;
    const auto target = (std::filesystem::path(path).parent_path() / entry.link_target).lexically_normal().string();
    if (entry.link_target.starts_with('/') || target == ".." || target.starts_with("../")) {
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' is a link to '{}', outside its artifact", shown, entry.link_target));
    }
    path = target == "." ? "" : target;
  }
  return fail(ErrorKind::invalid, fmt::format("'{}' is a link that leads in a circle", shown));
}

Result<int> cat(Context& context, const CatOptions& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(const auto found, find_artifact(run, options.path));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const store::ArtifactId id{found.artifact.artifact->tree, found.artifact.artifact->times};
  auto path = follow_links(*store, id, found.inside, options.path);
  if (!path && path.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, fmt::format("Artifact source path '{}' does not exist", options.path));
  if (!path) return std::unexpected(std::move(path).error());
  KIST_TRY(store->read(
      id, *path, [](std::span<const std::byte> bytes) { return write_all(STDOUT_FILENO, bytes, "standard output"); }));
  return 0;
}

}  // namespace

void declare_cat(Arguments& arguments, Context& context) {
  auto options = std::make_shared<CatOptions>();
  arguments.positional("RUN|:TAG", options->subject, "Whose artifact", Completes::run_or_tag);
  arguments.positional("PATH", options->path, "The file, as `ls -r` shows it: PATH/FILE", Completes::artifact);
  arguments.action([&context, options] { return cat(context, *options); });
}

}  // namespace kist::cli
