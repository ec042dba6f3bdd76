// Puts together what the other files do; references and the format object.
#include "store/remote.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/inodes.hpp"
#include "store/pull.hpp"
#include "store/push.hpp"
#include "store/references.hpp"
#include "store/remote_chunks.hpp"
#include "store/remote_index.hpp"

namespace kist::store {
namespace {

constexpr std::string_view kFormatObject = "format";
constexpr std::string_view kRemoteFormat = "kist remote 1\n";
constexpr std::size_t kSmallObject = 4096;

// An object of a few bytes. Errors: corrupt (it is larger).
Result<std::pair<std::string, std::string>> read_small(net::ObjectStore& objects, const std::string& name) {
  std::string text;
  KIST_TRY_ASSIGN(auto info, objects.get(name, [&](std::span<const std::byte> bytes) -> Status {
    text += text_of(bytes);
    if (text.size() <= kSmallObject) return {};
    return fail(ErrorKind::corrupt, fmt::format("{}/{} is larger than it can be", objects.address(), name));
  }));
  return std::pair(std::move(text), std::move(info.version));
}

Status check_format(net::ObjectStore& objects) {
  auto read = read_small(objects, std::string(kFormatObject));
  if (!read && read.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                fmt::format("there is no remote at {}: make it with `kist remote add`", objects.address()));
  if (!read) return std::unexpected(read.error());
  if (read->first == kRemoteFormat) return {};
  if (read->first.starts_with("kist remote "))
    return fail(
        ErrorKind::corrupt,
        fmt::format("{} is in a format this kist does not know ('{}'; known: 'kist remote 1'): use a newer kist",
                    objects.address(), read->first.substr(0, read->first.find('\n'))));
  return fail(ErrorKind::corrupt, fmt::format("{}/{} does not say 'kist remote 1': it is damaged, or this is no remote",
                                              objects.address(), kFormatObject));
}

Result<std::string> reference_object(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos)
    return fail(ErrorKind::invalid, fmt::format("'{}' is no reference: expected KIND/NAME, such as tags/NAME", name));
  KIST_TRY_ASSIGN(auto kind, encode_reference_name(name.substr(0, slash)));
  KIST_TRY_ASSIGN(auto rest, encode_reference_name(name.substr(slash + 1)));
  return fmt::format("refs/{}/{}", kind, rest);
}

class ObjectRemote final : public RemoteStore {
 public:
  ObjectRemote(StoreDirectory directory, std::unique_ptr<net::ObjectStore> objects)
      : directory_(std::move(directory)), objects_(std::move(objects)) {}

  Status load() {
    KIST_TRY_ASSIGN(chunks_, Chunks::open(directory_, lease_));
    publisher_.emplace(directory_, lease_, *chunks_, inodes_);
    source_.emplace(*chunks_, *objects_, index_);
    return {};
  }

  net::ObjectStore& objects() override { return *objects_; }

  Result<RemoteReference> reference(std::string_view name) override {
    KIST_TRY_ASSIGN(auto object, reference_object(name));
    auto read = read_small(*objects_, object);
    if (!read && read.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::not_found, fmt::format("there is no '{}' on {}", name, objects_->address()));
    if (!read) return std::unexpected(read.error());
    std::string_view text = read->first;
    if (text.ends_with('\n')) text.remove_suffix(1);
    auto target = Digest::parse(text);
    if (!target)
      return fail(ErrorKind::corrupt,
                  fmt::format("{}/{} holds no reference: {}", objects_->address(), object, target.error().text));
    return RemoteReference{*target, std::move(read->second)};
  }

  Result<std::vector<std::string>> references(std::string_view prefix) override {
    std::vector<std::string> names;
    KIST_TRY(objects_->list("refs/", [&](const net::ObjectInfo& info) {
      const std::string_view rest = std::string_view(info.name).substr(std::string_view("refs/").size());
      const auto slash = rest.find('/');
      if (slash == std::string_view::npos) return true;
      auto kind = decode_reference_name(std::string(rest.substr(0, slash)));
      auto name = decode_reference_name(std::string(rest.substr(slash + 1)));
      if (kind && name)
        if (std::string whole = *kind + "/" + *name; whole.starts_with(prefix)) names.push_back(std::move(whole));
      return true;
    }));
    std::ranges::sort(names);
    return names;
  }

  Status set_reference(std::string_view name, const Digest& target,
                       const std::optional<RemoteReference>& expected) override {
    KIST_TRY_ASSIGN(auto object, reference_object(name));
    const std::string text = target.to_string() + "\n";
    net::PutCondition condition{net::PutCondition::Kind::absent, ""};
    if (expected) condition = {net::PutCondition::Kind::matches, expected->version};
    auto put = objects_->put(object, {.bytes = bytes_of(text), .file = -1, .offset = 0, .size = 0}, condition);
    if (put) return {};
    if (put.error().kind != ErrorKind::conflict) return std::unexpected(put.error());
    // A request that was repeated because its answer was lost finds its own work.
    auto now = reference(name);
    if (now && now->target == target) return {};
    return fail(ErrorKind::conflict, fmt::format("'{}' on {} was {} by somebody else meanwhile", name,
                                                 objects_->address(), now ? "set" : "removed"));
  }

  std::optional<Digest> last_seen(std::string_view name) override {
    auto file = seen_file(name);
    if (!file) return std::nullopt;
    auto bytes = directory_.read_file(*file, kSmallObject);
    if (!bytes) return std::nullopt;
    auto digest = Digest::parse(text_of(*bytes));
    return digest ? std::optional(*digest) : std::nullopt;
  }

  Status remember(std::string_view name, const Digest& target) override {
    KIST_TRY_ASSIGN(auto path, seen_file(name));
    for (const std::string& directory : {std::string("remotes"), cache_, cache_ + "/seen"})
      KIST_TRY(directory_.make_directory(directory));
    KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
    KIST_TRY(file.write(bytes_of(target.to_string())));
    return file.move_to(path);
  }

  Status push(std::span<const Digest> records, Transfer& transfer) override {
    KIST_TRY(hold());
    return push_records({directory_, lease_, *chunks_, *objects_, index_}, records, transfer);
  }

  Status pull(const Digest& record, Transfer& transfer) override {
    KIST_TRY(hold());
    return pull_record({directory_, lease_, *chunks_, *publisher_, *objects_, index_}, record, transfer);
  }

  ChunkSource& source() override { return *source_; }

 private:
  Result<std::string> seen_file(std::string_view name) const {
    KIST_TRY_ASSIGN(auto file, encode_reference_name(name));
    return fmt::format("{}/seen/{}", cache_, file);
  }

  // First the hold, then the look at the index: what is found was there while it was held.
  Status hold() {
    if (!hold_) {
      KIST_TRY_ASSIGN(auto hold, lease_.hold());
      hold_.emplace(std::move(hold));
    }
    return chunks_->refresh();
  }

  StoreDirectory directory_;
  std::unique_ptr<net::ObjectStore> objects_;
  const std::string cache_ = remote_cache(*objects_);
  Lease lease_{directory_};
  Inodes inodes_{directory_};
  RemoteIndex index_{directory_, lease_, *objects_};
  std::unique_ptr<Chunks> chunks_;
  std::optional<Publisher> publisher_;
  std::optional<RemoteChunks> source_;
  std::optional<Lease::Hold> hold_;
};

}  // namespace

Status RemoteStore::create(net::ObjectStore& objects) {
  KIST_TRY_ASSIGN(const bool obeyed, objects.obeys_conditions());
  if (!obeyed)
    return fail(
        ErrorKind::unsupported,
        fmt::format("{} ignores the conditions If-None-Match and If-Match, so two machines could overwrite each "
                    "other's tags without a word: use a server that obeys them",
                    objects.address()));
  auto there = check_format(objects);
  if (there || there.error().kind != ErrorKind::not_found) return there;
  std::optional<std::string> other;
  KIST_TRY(objects.list("", [&](const net::ObjectInfo& info) {
    other = info.name;
    return false;
  }));
  if (other)
    return fail(ErrorKind::invalid, fmt::format("{} is no remote of kist: it holds '{}'; give an empty or a new place",
                                                objects.address(), *other));
  auto put = objects.put(kFormatObject, {.bytes = bytes_of(kRemoteFormat), .file = -1, .offset = 0, .size = 0},
                         {net::PutCondition::Kind::absent, ""});
  if (!put && put.error().kind != ErrorKind::conflict) return std::unexpected(put.error());
  return check_format(objects);
}

Result<std::unique_ptr<RemoteStore>> RemoteStore::open(const std::filesystem::path& store,
                                                       std::unique_ptr<net::ObjectStore> objects) {
  KIST_TRY(check_format(*objects));
  KIST_TRY_ASSIGN(auto directory, StoreDirectory::open(store));
  auto remote = std::make_unique<ObjectRemote>(std::move(directory), std::move(objects));
  KIST_TRY(remote->load());
  return remote;
}

Result<model::RunRecord> read_run_record(ChunkSource& source, const Digest& record) {
  Bytes bytes;
  KIST_TRY(source.read(record, bytes));
  KIST_TRY_ASSIGN(auto value, parse_json(text_of(bytes)));
  return model::run_from_json(value);
}

std::vector<ArtifactId> artifacts_of(const model::RunRecord& run) {
  std::vector<ArtifactId> all;
  std::set<ArtifactId> seen;
  auto add = [&](const model::ArtifactRecord& artifact) {
    ArtifactId id{artifact.tree, artifact.times};
    if (seen.insert(id).second) all.push_back(id);
  };
  for (const model::UsedRun& used : run.used_runs)
    for (const model::ArtifactRecord& artifact : used.artifacts) add(artifact);
  for (const model::NodeRecord& node : run.nodes) {
    for (const model::ArtifactRecord& artifact : node.input_artifacts) add(artifact);
    for (const model::ArtifactRecord& artifact : node.output_artifacts) add(artifact);
  }
  if (run.logs) add(*run.logs);
  return all;
}

}  // namespace kist::store
