#include "location/location.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "archive/writer.hpp"
#include "base/file.hpp"
#include "location/content_type.hpp"
#include "location/driver.hpp"
#include "store/pack_tree.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

using Kind = model::Archive::Kind;

struct Maker {
  std::string_view kind;
  MadeDriver (*make)(const model::Location&, const Context&);
};
constexpr auto kMakers = std::to_array<Maker>({
    {"s3", &make_s3},
    {"oss", &make_oss},
    {"gcs", &make_gcs},
    {"azure", &make_azure},
    {"http", &make_http},
    {"artifactory", &make_artifactory},
    {"hdfs", &make_hdfs},
    {"git", &make_git},
    {"file", &make_file},
});

MadeDriver make_driver(const model::Location& location, const Context& context) {
  const auto found = std::ranges::find(kMakers, location.kind, &Maker::kind);
  if (found == kMakers.end())
    return fail(ErrorKind::unsupported,
                fmt::format("kist knows no location of the kind '{}' ({})", location.kind, model::to_string(location)));
  return found->make(location, context);
}

// Unpacks what was fetched, and puts it where it belongs.
Status unpack_to(const fs::path& fetched, archive::Format format, const LoadOptions& options, const fs::path& directory,
                 const fs::path& target, const Context& context) {
  archive::UnpackOptions limits = options.limits;
  limits.format = format;
  struct statvfs disk{};
  if (::statvfs(fetched.c_str(), &disk) == 0)
    limits.most_bytes = std::min<std::uint64_t>(limits.most_bytes, std::uint64_t{disk.f_bavail} * disk.f_frsize);
  KIST_TRY_ASSIGN(const auto unpacked, archive::unpack(fetched, directory, limits));
  if (context.notice)
    for (const std::string& notice : unpacked.notices) context.notice(notice);
  return archive::settle(unpacked, directory, target);
}

// No archive of this artifact is longer: content that does not compress, headers and their padding.
Result<std::uint64_t> longest_archive(const Artifact& artifact) {
  constexpr std::uint64_t per_entry = 4096;
  std::uint64_t bytes = 1 << 20;
  KIST_TRY(artifact.store.list(artifact.id, {}, [&](const store::Entry& entry) {
    bytes += per_entry + 4 * (entry.path.size() + entry.link_target.size()) + entry.size + entry.size / 64;
    return true;
  }));
  return bytes;
}

Status send_packed(Driver& driver, const model::Archive& archive, const Artifact& artifact) {
  const bool zip = archive.kind == Kind::zip;
  Attributes attributes;
  attributes.content_type = zip ? "application/zip" : "application/gzip";
  KIST_TRY_ASSIGN(const std::uint64_t at_most, longest_archive(artifact));
  KIST_TRY_ASSIGN(const auto upload, driver.upload(attributes, at_most));
  auto sink = [&](std::span<const std::byte> bytes) { return upload->write(bytes); };
  const int level = archive.compression_level.value_or(archive::kUsualLevel);
  KIST_TRY_ASSIGN(const auto writer,
                  zip ? archive::make_zip_writer(sink, level) : archive::make_tar_gzip_writer(sink, level));
  KIST_TRY(store::pack_tree({artifact.store.chunks(), artifact.id, ""}, artifact.name, *writer));
  KIST_TRY(writer->finish());
  return upload->finish();
}

Status send_file(Driver& driver, const store::Entry& entry, const Artifact& artifact) {
  KIST_TRY_ASSIGN(const auto upload, driver.upload(attributes_of(entry, driver.address()), entry.size));
  KIST_TRY(
      artifact.store.read(artifact.id, "", [&](std::span<const std::byte> bytes) { return upload->write(bytes); }));
  return upload->finish();
}

}  // namespace

Attributes attributes_of(const store::Entry& entry, std::string_view name) {
  Attributes attributes;
  attributes.content_type = content_type_of(name);
  if (entry.type != store::EntryType::link && (entry.mode & 0777) != 0644)
    attributes.metadata.emplace_back("kist-mode", fmt::format("{:04o}", entry.mode & 0777));
  return attributes;
}

Status load(const model::Location& location, const LoadOptions& options, const fs::path& target,
            const Context& context) {
  KIST_TRY_ASSIGN(const auto driver, make_driver(location, context));
  KIST_TRY_ASSIGN(const auto scratch, ScratchDirectory::make(target.parent_path(), ".kist-load-"));
  const fs::path fetched = scratch.path() / "fetched";
  KIST_TRY(driver->fetch(fetched));
  struct stat status{};
  if (::lstat(fetched.c_str(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", fetched.string()));
  const bool is_file = S_ISREG(status.st_mode);
  auto format = archive::Format::any;
  if (options.archive) {
    if (options.archive->kind == Kind::none) return archive::settle({}, fetched, target);
    format = options.archive->kind == Kind::zip ? archive::Format::zip : archive::Format::tar;
    if (!is_file)
      return fail(ErrorKind::invalid, fmt::format("{} is a directory, where an archive ({}) is expected",
                                                  driver->address(), format == archive::Format::zip ? "zip" : "tar"));
  } else {
    // Unasked, only what Argo takes for a directory that it packed is unpacked.
    bool packed = false;
    if (is_file) {
      KIST_TRY_ASSIGN(packed, archive::is_tar_gzip(fetched));
    }
    if (!packed) return archive::settle({}, fetched, target);
    format = archive::Format::tar;
  }
  auto unpacked = unpack_to(fetched, format, options, scratch.path() / "unpacked", target, context);
  if (unpacked) return {};
  // Where it was while it was unpacked says nothing to anybody.
  Error error = std::move(unpacked).error();
  if (const std::string prefix = fetched.string() + ": "; error.text.starts_with(prefix))
    error.text.erase(0, prefix.size());
  return with_context(fmt::format("{} ({})", driver->address(), format == archive::Format::zip ? "zip" : "tar"),
                      std::move(error));
}

Status save(const model::Location& location, const model::Archive& archive, const Artifact& artifact,
            const Context& context) {
  KIST_TRY_ASSIGN(const auto driver, make_driver(location, context));
  KIST_TRY_ASSIGN(const store::Entry top, artifact.store.find(artifact.id, ""));
  KIST_TRY(driver->prepare());
  if (archive.kind != Kind::none) return send_packed(*driver, archive, artifact);
  if (top.type == store::EntryType::directory) return driver->send_directory(artifact);
  return send_file(*driver, top, artifact);
}

Result<std::vector<std::string>> list(const model::Location& location, const Context& context) {
  KIST_TRY_ASSIGN(const auto driver, make_driver(location, context));
  KIST_TRY_ASSIGN(auto found, driver->list());
  std::ranges::sort(found);
  return found;
}

Status remove(const model::Location& location, const model::Archive& archive, const Artifact& artifact,
              const Context& context) {
  KIST_TRY_ASSIGN(const auto driver, make_driver(location, context));
  if (archive.kind != Kind::none) return driver->remove_object();
  KIST_TRY_ASSIGN(const store::Entry top, artifact.store.find(artifact.id, ""));
  return top.type == store::EntryType::directory ? driver->remove_directory(artifact) : driver->remove_object();
}

}  // namespace kist::location
