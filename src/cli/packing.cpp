#include "cli/packing.hpp"

#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "archive/writer.hpp"
#include "base/file.hpp"
#include "base/system.hpp"
#include "store/pack_tree.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

Result<std::unique_ptr<archive::Writer>> make_writer(const model::Archive& archive, archive::Sink sink) {
  const int level = archive.compression_level.value_or(archive::kUsualLevel);
  if (archive.kind == model::Archive::Kind::zip) return archive::make_zip_writer(std::move(sink), level);
  return archive::make_tar_gzip_writer(std::move(sink), level);
}

// What the top of the artifact is called inside its archive.
std::string top_name(const model::ArtifactRecord& artifact) {
  fs::path path = artifact.path;
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().empty() || path.filename() == "." ? fs::path(artifact.name).filename().string()
                                                           : path.filename().string();
}

Status write_archive(store::Store& store, const model::ArtifactRecord& artifact, int descriptor,
                     const std::string& name) {
  KIST_TRY_ASSIGN(const auto writer, make_writer(artifact.archive, [&](std::span<const std::byte> bytes) {
                    return write_all(descriptor, bytes, name);
                  }));
  KIST_TRY(store::pack_tree({store.chunks(), {artifact.tree, artifact.times}, ""}, top_name(artifact), *writer));
  return writer->finish();
}

}  // namespace

std::string packed_name(const model::AddressedArtifact& artifact) {
  switch (artifact.artifact->archive.kind) {
    case model::Archive::Kind::tar:
      return artifact.address + ".tgz";
    case model::Archive::Kind::zip:
      return artifact.address + ".zip";
    case model::Archive::Kind::none:
      break;
  }
  return artifact.address;
}

Status pack(store::Store& store, const model::ArtifactRecord& artifact, const fs::path& target) {
  const fs::path partial = target.string() + fmt::format(".{}.part", getpid());
  KIST_TRY_ASSIGN(const auto file, open_file(partial, O_WRONLY | O_CREAT | O_EXCL));
  auto written = write_archive(store, artifact, file.get(), partial.string());
  if (written && os::renameat(AT_FDCWD, partial.c_str(), AT_FDCWD, target.c_str()) != 0)
    written = fail_errno(fmt::format("writing {}", target.string()));
  if (!written) (void)os::unlinkat(AT_FDCWD, partial.c_str(), 0);
  return written;
}

}  // namespace kist::cli
