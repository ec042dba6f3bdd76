#include "cli/plain.hpp"

#include <atomic>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "cli/packing.hpp"
#include "net/s3.hpp"
#include "store/parallel.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kAtOnce = 16;

// The last part of a path, as "out" of "/tmp/out/".
std::string last_part(const std::string& path) {
  fs::path whole = fs::path(path).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.filename().string();
}

// Without "./" and slashes at its beginning, and slashes at its end.
std::string below(const std::string& path) {
  std::string text = fs::path(path).lexically_normal().relative_path().string();
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// One object to be put: a file that stays as it is meanwhile.
struct Planned {
  std::string key;
  fs::path file;
};

// What an artifact is put as. `view` is its top on disk; an archive of it is made in `scratch`.
Status plan(store::Store& store, const model::AddressedArtifact& artifact, const std::string& key, const fs::path& view,
            const fs::path& scratch, std::vector<Planned>& planned, std::vector<std::string>& left_out) {
  if (artifact.artifact->archive.kind != model::Archive::Kind::none) {
    const fs::path packed = scratch / std::to_string(planned.size());
    KIST_TRY(pack(store, *artifact.artifact, packed));
    planned.push_back({key, packed});
    return {};
  }
  const store::ArtifactId id{artifact.artifact->tree, artifact.artifact->times};
  return store.list(id, {}, [&](const store::Entry& entry) {
    const std::string whole = entry.path.empty() ? key : fmt::format("{}/{}", key, entry.path);
    if (entry.type == store::EntryType::link) left_out.push_back(whole);
    if (entry.type == store::EntryType::file) planned.push_back({whole, entry.path.empty() ? view : view / entry.path});
    return true;
  });
}

}  // namespace

std::string plain_key(const model::RunRecord& run, const model::AddressedArtifact& artifact) {
  const model::NodeNames& names = artifact.node->names;
  const std::string& path = artifact.artifact->path;
  if (run.dialect == "argo") {
    const std::string pod = names.host.empty() ? names.id : names.host;
    switch (artifact.artifact->archive.kind) {
      case model::Archive::Kind::tar:
        return fmt::format("{}/{}/{}.tgz", run.name, pod, artifact.artifact->name);
      case model::Archive::Kind::zip:
        return fmt::format("{}/{}/{}.zip", run.name, pod, artifact.artifact->name);
      case model::Archive::Kind::none:
        return fmt::format("{}/{}/{}", run.name, pod, last_part(path.empty() ? artifact.artifact->name : path));
    }
  }
  if (run.dialect == "circleci")
    return fmt::format("output/job/{}/artifacts/0/{}", names.id, below(artifact.artifact->name));
  return fmt::format("artifacts/{}/{}/{}", last_part(run.project), names.id,
                     below(path.empty() ? artifact.artifact->name : path));
}

Result<Published> publish_plain(House& house, const NamedRemote& bucket, const model::RunRecord& run) {
  if (!bucket.url.starts_with("s3://"))
    return fail(ErrorKind::invalid, fmt::format("--plain {}: expected s3://BUCKET/PREFIX", bucket.url));
  KIST_TRY_ASSIGN(const auto address, net::parse_s3_address(bucket.url));
  KIST_TRY_ASSIGN(auto settings, net::s3_settings(address.bucket, s3_options(bucket.options)));
  KIST_TRY_ASSIGN(const auto client, net::S3Client::make(std::move(settings)));
  KIST_TRY_ASSIGN(store::Store * store, house.store());
  KIST_TRY_ASSIGN(const catalog::Home* home, house.home());
  std::error_code failed;
  fs::create_directories(home->scratch(), failed);
  if (failed) return fail_errno(fmt::format("making {}", home->scratch().string()), failed.value());

  Published published;
  for (const auto& artifact : model::addresses(run)) {
    // One artifact after the other, so that no more than one archive lies in the scratch.
    KIST_TRY_ASSIGN(const auto scratch, ScratchDirectory::make(home->scratch(), "plain-"));
    KIST_TRY_ASSIGN(const auto view, store->view({artifact.artifact->tree, artifact.artifact->times}));
    const std::string own = plain_key(run, artifact);
    const std::string key = address.prefix.empty() ? own : fmt::format("{}/{}", address.prefix, own);
    std::vector<Planned> planned;
    KIST_TRY(plan(*store, artifact, key, view->path(), scratch.path(), planned, published.left_out));
    std::atomic<std::uint64_t> bytes = 0;
    const auto put = [&](std::size_t i) -> Status {
      KIST_TRY_ASSIGN(const auto file, open_file(planned[i].file, O_RDONLY));
      struct stat status{};
      if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot read {}", planned[i].file.string()));
      const auto size = static_cast<std::uint64_t>(status.st_size);
      KIST_TRY(client->put(planned[i].key, {.bytes = {}, .file = file.get(), .offset = 0, .size = size}));
      bytes += size;
      return {};
    };
    KIST_TRY(store::in_parallel(kAtOnce, planned.size(), put));
    published.objects += planned.size();
    published.bytes += bytes;
  }
  return published;
}

}  // namespace kist::cli
