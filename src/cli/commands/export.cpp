#include <array>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/writer.hpp"
#include "base/file.hpp"
#include "base/terminal.hpp"
#include "cli/commands/table.hpp"
#include "cli/subject.hpp"
#include "store/pack_tree.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

struct ExportOptions {
  std::string subject;
  std::optional<std::string> path;
  std::optional<std::string> output;
  std::optional<std::string> format;
  std::optional<std::string> level;
};

struct Format {
  std::string_view name;
  std::array<std::string_view, 2> endings;
  Result<std::unique_ptr<archive::Writer>> (*make)(archive::Sink sink, archive::Level level);
};

Result<std::unique_ptr<archive::Writer>> make_tar(archive::Sink sink, archive::Level level) {
  if (level != archive::kUsualLevel) return fail(ErrorKind::invalid, "--level: a plain tar is not compressed");
  return archive::make_tar_writer(std::move(sink));
}

constexpr auto kFormats = std::to_array<Format>({
    {"tar", {".tar", ".tar"}, make_tar},
    {"tar.gz", {".tar.gz", ".tgz"}, archive::make_tar_gzip_writer},
    {"tar.zst", {".tar.zst", ".tzst"}, archive::make_tar_zstd_writer},
    {"zip", {".zip", ".zip"}, archive::make_zip_writer},
});

Result<const Format*> format_of(const ExportOptions& options) {
  for (const Format& format : kFormats) {
    if (options.format ? *options.format == format.name || "." + *options.format == format.endings[1]
                       : options.output->ends_with(format.endings[0]) || options.output->ends_with(format.endings[1]))
      return &format;
  }
  if (options.format)
    return fail(ErrorKind::invalid, fmt::format("--format {}: expected tar, tar.gz, tar.zst or zip", *options.format));
  return fail(ErrorKind::invalid, fmt::format("'{}' does not tell the format: end it with .tar, .tar.gz, .tar.zst or "
                                              ".zip, or give --format",
                                              *options.output));
}

Result<archive::Level> level_of(const ExportOptions& options) {
  if (!options.level) return archive::kUsualLevel;
  int level = 0;
  const char* end = options.level->data() + options.level->size();
  const auto [at, error] = std::from_chars(options.level->data(), end, level);
  if (error != std::errc() || at != end || level < 0)
    return fail(ErrorKind::invalid, fmt::format("--level: expected a number, not '{}'", *options.level));
  return level;
}

// What is to be packed, and what it is called in the archive.
struct Item {
  std::string name;
  store::ArtifactId id;
  std::string inside;
};

Result<std::vector<Item>> items_of(const model::RunRecord& run, const ExportOptions& options) {
  std::vector<Item> items;
  if (options.path) {
    KIST_TRY_ASSIGN(const auto found, find_artifact(run, *options.path));
    const std::string& whole = found.inside.empty() ? found.artifact.artifact->name : found.inside;
    items.push_back({fs::path(whole).filename().string(),
                     {found.artifact.artifact->tree, found.artifact.artifact->times},
                     found.inside});
  } else {
    for (const auto& one : model::addresses(run))
      items.push_back({one.address, {one.artifact->tree, one.artifact->times}, ""});
  }
  // Names of artifacts are chosen by workflow files; who unpacks is not to be led elsewhere.
  for (Item& item : items) {
    std::string clean;
    for (const fs::path& part : fs::path(item.name)) {
      if (part == "..") return fail(ErrorKind::invalid, fmt::format("'{}' cannot stand in an archive", item.name));
      if (part == "/" || part == "." || part.empty()) continue;
      clean += (clean.empty() ? "" : "/") + part.string();
    }
    item.name = clean.empty() ? "artifact" : clean;
  }
  return items;
}

// Standard output, or a file that is there whole or not at all; what is no regular file is written in place.
class Output {
 public:
  static Result<Output> open(const std::string& path) {
    Output output;
    if (path == "-") {
      if (is_terminal(STDOUT_FILENO))
        return fail(ErrorKind::invalid, "an archive is not for a terminal: redirect it, or name a file with -o");
      output.name_ = "standard output";
      output.descriptor_ = STDOUT_FILENO;
      return output;
    }
    output.target_ = path;
    struct stat status{};
    const bool special = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    output.name_ = special ? path : path + fmt::format(".{}.part", getpid());
    output.partial_ = !special;
    KIST_TRY_ASSIGN(output.file_, open_file(output.name_, special ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL));
    output.descriptor_ = output.file_.get();
    return output;
  }
  Output(Output&& other) noexcept = default;
  ~Output() {
    if (partial_ && file_) unlink(name_.c_str());
  }

  Status write(std::span<const std::byte> bytes) const { return write_all(descriptor_, bytes, name_); }
  Status finish() {
    if (!partial_) return {};
    if (rename(name_.c_str(), target_.c_str()) != 0) return fail_errno(fmt::format("writing {}", target_));
    partial_ = false;
    return {};
  }

 private:
  Output() = default;
  std::string target_;
  std::string name_;
  FileDescriptor file_;
  int descriptor_ = -1;
  bool partial_ = false;
};

Result<int> export_artifacts(Context& context, ExportOptions options) {
  if (!options.output) {
    if (!options.format) return fail(ErrorKind::invalid, "where to? -o FILE, or --format FORMAT for standard output");
    options.output = "-";
  }
  if (*options.output == "-" && !options.format)
    return fail(ErrorKind::invalid, "which format? --format tar, tar.gz, tar.zst or zip");
  KIST_TRY_ASSIGN(const Format* format, format_of(options));
  KIST_TRY_ASSIGN(const archive::Level level, level_of(options));
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(const auto items, items_of(run, options));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  // Told before a file is begun.
  for (const Item& item : items) {
    auto found = store->find(item.id, item.inside);
    if (!found && found.error().kind == ErrorKind::not_found && options.path)
      return fail(ErrorKind::not_found, fmt::format("Artifact source path '{}' does not exist", *options.path));
    if (!found) return std::unexpected(std::move(found).error());
  }
  KIST_TRY_ASSIGN(auto output, Output::open(*options.output));
  KIST_TRY_ASSIGN(const auto writer,
                  format->make([&](std::span<const std::byte> bytes) { return output.write(bytes); }, level));
  for (const Item& item : items)
    KIST_TRY(store::pack_tree({store->chunks(), item.id, item.inside}, item.name, *writer));
  KIST_TRY(writer->finish());
  KIST_TRY(output.finish());
  return 0;
}

}  // namespace

void declare_export(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ExportOptions>();
  arguments.option("-o,--output", "FILE", options->output,
                   "Where to; '-' is standard output, and so is leaving it out. Its name tells the format",
                   Completes::file);
  arguments.option("--format", "FORMAT", options->format, "tar, tar.gz, tar.zst or zip");
  arguments.option("--level", "N", options->level,
                   "How hard to compress: 0 (not at all; tar.gz, zip) to 9, tar.zst 1 to 19");
  arguments.positional("RUN|:TAG", options->subject, "Whose artifacts", Completes::run_or_tag);
  arguments.positional("PATH", options->path,
                       "An artifact, or a file or directory in it: it stands in the archive by its last name. All "
                       "artifacts by their addresses where it is left out",
                       Completes::artifact);
  arguments.action([&context, options] { return export_artifacts(context, *options); });
}

}  // namespace kist::cli
