#include "store/remote_index.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "store/index_upkeep.hpp"
#include "store/parallel.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kRequests = 8;
constexpr std::uint64_t kLargestIndex = 4ULL << 30;
constexpr std::uint64_t kTail = 128 << 10;  // of a pack: its table, nearly always
constexpr std::uint64_t kLargestTable = 16 << 20;
constexpr std::size_t kStraysAtOnce = 64;            // packs whose tables are in memory
constexpr std::uint32_t kLargestAbsorbed = 1 << 19;  // rows: so that index objects stay about as large as packs
constexpr std::string_view kIndexes = "index/";
constexpr std::string_view kPacks = "packs/";

std::string index_object(std::string_view name) {
  return fmt::format("{}{}", kIndexes, name);
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string remote_cache(const net::ObjectStore& objects) {
  return "remotes/" + sha256(objects.address()).hex().substr(0, 16);
}

std::string pack_object(const Digest& name) {
  const std::string hex = name.hex();
  return fmt::format("{}{}/{}", kPacks, hex.substr(0, 2), hex);
}

RemoteIndex::RemoteIndex(const StoreDirectory& directory, Lease& lease, net::ObjectStore& objects)
    : directory_(directory), lease_(lease), objects_(objects), folder_(remote_cache(objects) + "/index") {}

std::shared_ptr<const IndexSet> RemoteIndex::set() {
  std::lock_guard lock(mutex_);
  return set_;
}

// Index objects come and go while this runs: one that was merged away between listing and reading has a successor now,
// so the listing is taken again.
Status RemoteIndex::refresh() {
  for (const std::string& directory : {std::string("remotes"), remote_cache(objects_), folder_})
    KIST_TRY(directory_.make_directory(directory));
  while (true) {
    std::vector<std::string> names;
    const auto newer = [&] {
      std::lock_guard lock(mutex_);
      return newer_;
    }();
    KIST_TRY(objects_.list(kIndexes, [&](const net::ObjectInfo& info) {
      std::string name = info.name.substr(kIndexes.size());
      const bool is_ours = is_hex(name, 2 * kChecksumSize) && info.size <= kLargestIndex && !newer.contains(name);
      if (is_ours) names.push_back(std::move(name));
      return true;
    }));
    auto before = set();
    std::vector<std::shared_ptr<const IndexFile>> files(names.size());
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto known = std::ranges::find(*before, names[i], [](const auto& file) { return file->name(); });
      if (known != before->end())
        files[i] = *known;
      else if (auto cached = IndexFile::open(directory_, names[i], folder_); cached)
        files[i] = std::move(*cached);
      else
        missing.push_back(i);
    }
    std::atomic<bool> vanished = false;
    KIST_TRY(in_parallel(kRequests, missing.size(), [&](std::size_t number) -> Status {
      const std::size_t i = missing[number];
      auto fetched = fetch(names[i]);
      if (!fetched && fetched.error().kind == ErrorKind::not_found) {
        vanished = true;
        return {};
      }
      if (!fetched) return std::unexpected(fetched.error());
      if (*fetched == Fetched::newer) {
        std::lock_guard lock(mutex_);
        newer_.insert(names[i]);
        return {};
      }
      auto opened = IndexFile::open(directory_, names[i], folder_);
      if (!opened && opened.error().kind == ErrorKind::not_found) {
        vanished = true;  // here, by another refresh() that had an older listing
        return {};
      }
      if (!opened) return std::unexpected(opened.error());
      files[i] = std::move(*opened);
      return {};
    }));
    if (vanished) continue;
    std::erase(files, nullptr);
    // Large ones first: they answer most questions.
    std::ranges::sort(files, [](const auto& a, const auto& b) { return a->records() > b->records(); });
    if (auto cached = directory_.names(folder_))
      for (const std::string& name : *cached)
        if (std::ranges::find(names, name) == names.end()) (void)directory_.remove(folder_ + "/" + name);
    std::lock_guard lock(mutex_);
    set_ = std::make_shared<IndexSet>(std::move(files));
    return {};
  }
}

std::string RemoteIndex::what_to_do() const {
  std::lock_guard lock(mutex_);
  return newer_.empty() ? "push the run again from where it is" : "an index there is a newer kist's: use the newer one";
}

Result<RemoteIndex::Fetched> RemoteIndex::fetch(const std::string& name) {
  const std::string object = index_object(name);
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
  KIST_TRY(objects_.get(object, [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  auto checked = [&]() -> Status {
    KIST_TRY_ASSIGN(auto index, IndexFile::open(directory_, file.name(), "."));
    KIST_TRY(index->check());
    if (index->checksum() != name) return fail(ErrorKind::corrupt, "it is not the one it is named after");
    return {};
  }();
  if (!checked && checked.error().kind == ErrorKind::unsupported) return Fetched::newer;
  if (!checked)
    return fail(checked.error().kind,
                fmt::format("{}/{} is damaged: {}. Remove it there and push again from where the runs are",
                            objects_.address(), object, checked.error().text));
  KIST_TRY(file.sync());
  KIST_TRY(file.move_to(folder_ + "/" + name));
  return Fetched::here;
}

bool RemoteIndex::contains(const IndexSet& set, const Digest& id) {
  return std::ranges::any_of(set, [&](const auto& file) { return file->find(id).has_value(); });
}

std::optional<RemotePlace> RemoteIndex::find(const IndexSet& set, const Digest& id, std::span<const Digest> without) {
  for (const auto& file : set) {
    auto record = file->find(id);
    if (!record || record->container >= file->containers()) continue;
    const Container container = file->container(record->container);
    if (std::ranges::find(without, container.name) == without.end()) return RemotePlace{container, *record};
  }
  return std::nullopt;
}

Status RemoteIndex::add(const std::vector<RemotePack>& packs) {
  if (packs.empty()) return {};
  std::vector<Container> containers;
  std::vector<IndexRecord> rows;
  for (const RemotePack& pack : packs) {
    const auto number = static_cast<std::uint32_t>(containers.size());
    containers.push_back(pack.container);
    std::uint64_t offset = kContainerHeaderSize;
    for (const PackRecord& record : pack.records) {
      rows.push_back({record.id, number, offset, record.stored, record.length});
      offset += record.stored;
    }
  }
  const auto all = set();
  IndexSet absorbed = to_absorb(*all, rows.size());
  std::erase_if(absorbed, [](const auto& file) { return file->records() > kLargestAbsorbed; });
  std::vector<IndexSource> sources;
  sources.push_back(source_of(std::move(containers), std::move(rows)));
  for (const auto& file : absorbed) sources.push_back(source_of(file));
  return replace(sources, absorbed);
}

// Puts an index object with these rows, and removes those whose rows that are right are all in it.
Status RemoteIndex::replace(std::span<const IndexSource> sources, const IndexSet& replaced) {
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
  KIST_TRY_ASSIGN(auto name, write_index(file, sources));
  struct stat status{};
  if (::fstat(file.descriptor(), &status) != 0) return fail_errno(fmt::format("cannot read {}", file.path()));
  const net::Body body{
      .bytes = {}, .file = file.descriptor(), .offset = 0, .size = static_cast<std::uint64_t>(status.st_size)};
  auto put = objects_.put(index_object(name), body, {net::PutCondition::Kind::absent, ""});
  if (!put && put.error().kind != ErrorKind::conflict) return std::unexpected(put.error());
  file.close();
  KIST_TRY(file.move_to(folder_ + "/" + name));
  KIST_TRY_ASSIGN(auto opened, IndexFile::open(directory_, name, folder_));
  // Who still reads them looks again.
  for (const auto& old : replaced)
    if (old->name() != name) KIST_TRY(objects_.remove(index_object(old->name())));

  std::lock_guard lock(mutex_);
  auto after = std::make_shared<IndexSet>(*set_);
  std::erase_if(*after, [&](const auto& old) {
    return old->name() == name || std::ranges::find(replaced, old) != replaced.end();
  });
  after->push_back(std::move(opened));
  std::ranges::sort(*after, [](const auto& a, const auto& b) { return a->records() > b->records(); });
  set_ = std::move(after);
  return {};
}

Status RemoteIndex::reconcile() {
  std::map<Digest, std::uint64_t> sizes;
  KIST_TRY(objects_.list(kPacks, [&](const net::ObjectInfo& info) {
    auto name = Digest::parse(std::string_view(info.name).substr(info.name.rfind('/') + 1));
    if (name && info.name == pack_object(*name)) sizes.emplace(*name, info.size);
    return true;
  }));
  std::unordered_set<Digest> named;
  std::unordered_set<Digest> gone;
  const auto known = set();
  for (const auto& file : *known)
    for (std::uint32_t i = 0; i < file->containers(); ++i) {
      const Container container = file->container(i);
      const auto there = sizes.find(container.name);
      const bool right = there != sizes.end() && there->second == container.size;
      (right ? named : gone).insert(container.name);
    }
  if (!gone.empty()) KIST_TRY(drop(gone));

  std::vector<Container> strays;
  for (const auto& [name, size] : sizes)
    if (!named.contains(name)) strays.push_back({Container::Kind::pack, name, size});
  for (std::size_t done = 0; done < strays.size(); done += kStraysAtOnce) {
    const std::size_t count = std::min(kStraysAtOnce, strays.size() - done);
    std::vector<std::optional<RemotePack>> read(count);
    KIST_TRY(in_parallel(kRequests, count, [&](std::size_t i) -> Status {
      KIST_TRY_ASSIGN(read[i], read_table(strays[done + i]));
      return {};
    }));
    std::vector<RemotePack> packs;
    for (auto& pack : read)
      if (pack) packs.push_back(std::move(*pack));
    KIST_TRY(add(packs));
  }
  return {};
}

Status RemoteIndex::drop(const std::unordered_set<Digest>& gone) {
  const auto all = set();  // as they are now: each that is replaced is a new set
  for (const auto& file : *all) {
    std::vector<Container> containers;
    std::vector<std::optional<std::uint32_t>> numbers;
    for (std::uint32_t i = 0; i < file->containers(); ++i) {
      const Container container = file->container(i);
      numbers.emplace_back();
      if (gone.contains(container.name)) continue;
      numbers.back() = static_cast<std::uint32_t>(containers.size());
      containers.push_back(container);
    }
    if (containers.size() == numbers.size()) continue;
    // In portions, since the file may be large and its rows are gathered in memory.
    std::vector<IndexRecord> rows;
    auto write = [&](const IndexSet& replaced) {
      const IndexSource source = source_of(containers, std::exchange(rows, {}));
      return replace(std::span(&source, 1), replaced);
    };
    IndexRows all_rows(file);
    for (std::uint32_t i = 0; i < file->records(); ++i) {
      IndexRecord row = all_rows[i];
      if (row.container == kNoContainer)
        return fail(ErrorKind::io, fmt::format("cannot read {}", directory_.show(folder_ + "/" + file->name())));
      if (row.container >= numbers.size() || !numbers[row.container]) continue;
      row.container = *numbers[row.container];
      rows.push_back(row);
      if (rows.size() >= kIndexRowsAtOnce) KIST_TRY(write({}));
    }
    KIST_TRY(write({file}));
  }
  return {};
}

Result<std::optional<RemotePack>> RemoteIndex::read_table(const Container& pack) {
  const std::string object = pack_object(pack.name);
  if (pack.size < kContainerHeaderSize + kContainerTrailerSize) return std::nullopt;
  auto read_last = [&](std::uint64_t count) -> Result<Bytes> {
    Bytes bytes;
    KIST_TRY(objects_.get(
        object,
        [&](std::span<const std::byte> piece) -> Status {
          bytes.insert(bytes.end(), piece.begin(), piece.end());
          return {};
        },
        pack.size - count, count));
    return bytes;
  };
  KIST_TRY_ASSIGN(Bytes tail, read_last(std::min(kTail, pack.size)));
  if (tail.size() < kContainerTrailerSize) return std::nullopt;
  auto size = pack_footer_size(ByteSpan(tail).last(kContainerTrailerSize), pack.size);
  if (!size || *size > kLargestTable) return std::nullopt;  // kist's own have 5 MB at most
  if (*size > tail.size()) {
    KIST_TRY_ASSIGN(tail, read_last(*size));
    if (tail.size() != *size) return std::nullopt;
  }
  // The header is what its checksum and its name are taken over, so it need not be read.
  auto records = parse_pack(pack_header(Codec::zstd), ByteSpan(tail).last(*size), pack.size);
  if (!records) return std::nullopt;
  if (pack_name(*records, Codec::zstd) != pack.name) return std::nullopt;
  return RemotePack{pack, std::move(*records)};
}

}  // namespace kist::store
