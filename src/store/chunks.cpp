#include "store/chunks.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/sha256_each.hpp"
#include "base/system.hpp"
#include "store/container_table.hpp"
#include "store/file_time.hpp"
#include "store/frame.hpp"
#include "store/new_index.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kOpenContainers = 64;
// A directory's time counts only when it is so old: clocks of file systems are coarse, and another change in the same
// tick leaves it as it is.
constexpr std::chrono::seconds kSettled(2);

bool same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

Status ChunkSource::read_each(std::span<const Digest> ids, std::span<Bytes> out) {
  for (std::size_t i = 0; i < ids.size(); ++i) KIST_TRY(read(ids[i], out[i]));
  return {};
}

Result<std::unique_ptr<Chunks>> Chunks::open(const StoreDirectory& directory, Lease& lease) {
  std::unique_ptr<Chunks> chunks(new Chunks(directory, lease));
  KIST_TRY(chunks->reload());
  bool damaged = chunks->damaged_;
  if (!damaged && chunks->index()->empty()) {
    KIST_TRY_ASSIGN(auto names, directory.names("containers"));
    damaged = !names.empty();
  }
  if (damaged) KIST_TRY(chunks->recover());
  return chunks;
}

std::shared_ptr<const IndexSet> Chunks::index() {
  std::lock_guard lock(mutex_);
  return index_;
}

bool Chunks::contains(const IndexSet& set, const Digest& id) const {
  for (const auto& file : set)
    if (auto record = file->find(id); record && file->container_stands(directory_, record->container)) return true;
  return false;
}

bool Chunks::is_condemned(const Container& container) {
  std::lock_guard lock(mutex_);
  return all_condemned_ || condemned_.contains(container.name);
}

Status Chunks::refresh() {
  KIST_TRY_ASSIGN(auto status, directory_.status("index"));
  KIST_TRY_ASSIGN(auto condemned, read_condemned(directory_));
  {
    std::lock_guard lock(mutex_);
    if (same(status.st_mtim, loaded_) && condemned == condemned_text_) return {};
  }
  return reload();
}

Status Chunks::reload() {
  std::lock_guard loading(loading_);
  return load(false);
}

// Files may come and go while this runs: one that is merged away between listing and opening means that its successor
// is there now, so the listing is taken again.
Status Chunks::load(bool checked) {
  auto before = index();
  KIST_TRY_ASSIGN(auto condemned_text, read_condemned(directory_));
  // Where the list is damaged anything may be condemned: all can be read, but nothing is counted on, until a collection
  // writes the list anew.
  auto condemned_list = CondemnedList::parse(condemned_text);
  const bool all = !condemned_list;
  std::unordered_set<Digest> condemned;
  if (condemned_list)
    for (const Condemned& item : condemned_list->items) condemned.insert(item.container.name);
  {
    // What was seen of containers may be past, and what counts as missing may count again. Who works with the set of
    // before goes on with what was true for it.
    std::lock_guard lock(mutex_);
    if (condemned_text != condemned_text_) before = std::make_shared<IndexSet>();
  }
  while (true) {
    KIST_TRY_ASSIGN(auto status, directory_.status("index"));
    KIST_TRY_ASSIGN(auto names, directory_.names("index"));
    auto set = std::make_shared<IndexSet>();
    bool vanished = false;
    for (const std::string& name : names) {
      auto known = std::ranges::find(*before, name, [](const auto& file) { return file->name(); });
      if (known != before->end() && (!checked || (*known)->check())) {
        set->push_back(*known);
        continue;
      }
      auto file = IndexFile::open(directory_, name);
      if (file && checked)
        if (auto intact = (*file)->check(); !intact) file = std::unexpected(intact.error());
      if (file) {
        set->push_back(*file);
      } else if (file.error().kind == ErrorKind::not_found) {
        vanished = true;
      } else if (file.error().kind == ErrorKind::corrupt) {
        damaged_ = true;
      } else if (file.error().kind != ErrorKind::unsupported) {  // a newer kist's is for that one alone
        return std::unexpected(file.error());
      }
    }
    if (vanished) continue;
    if (all || !condemned.empty())
      for (const auto& file : *set)
        for (std::uint32_t i = 0; i < file->containers(); ++i)
          if (all || condemned.contains(file->container(i).name)) file->leave_out(i);
    // Large ones first: they answer most questions.
    std::ranges::sort(*set, [](const auto& a, const auto& b) { return a->records() > b->records(); });
    std::lock_guard lock(mutex_);
    index_ = std::move(set);
    loaded_ = status.st_mtim;
    condemned_text_ = std::move(condemned_text);
    condemned_ = std::move(condemned);
    all_condemned_ = all;
    open_.clear();
    return {};
  }
}

Status Chunks::recover() {
  std::lock_guard loading(loading_);
  // Who misses one chunk often misses thousands, and the checksums below are over the whole index.
  KIST_TRY_ASSIGN(const auto there, directory_.status("containers"));
  KIST_TRY_ASSIGN(const auto indexed, directory_.status("index"));
  if (!damaged_ && recovered_ && same(there.st_mtim, recovered_->containers) &&
      same(indexed.st_mtim, recovered_->index))
    return {};  // there is nothing to find that was not found
  bool all_read = now() - from_timespec(there.st_mtim) > kSettled;
  recovered_.reset();
  KIST_TRY(load(true));

  auto valid = index();
  KIST_TRY_ASSIGN(auto names, directory_.names("containers"));
  NewIndex index(directory_, lease_);
  // Of a chunk in several containers the first is kept: rather one that is not to be collected.
  std::ranges::stable_partition(names, [&](const std::string& name) {
    const auto container = Container::from_file(name, 0);
    return container && !is_condemned(*container);
  });
  for (const std::string& name : names) {
    if (name.ends_with(kTableSuffix)) continue;
    auto table = ContainerTable::open(directory_, name);
    if (!table) {  // a damaged container: what it held is missing, and who reads it is told
      const ErrorKind why = table.error().kind;
      all_read &= why == ErrorKind::corrupt || why == ErrorKind::not_found || why == ErrorKind::unsupported;
      continue;
    }
    index.begin(table->container());
    KIST_TRY(table->each(
        [&](const IndexRecord& frame) { return contains(*valid, frame.id) ? Status() : index.add(frame); }));
  }
  KIST_TRY(index.write({}));
  // What is condemned counts as missing, so its rows come again each time.
  const bool is_known = std::ranges::any_of(*valid, [&](const auto& known) { return known->name() == index.name(); });
  if (!is_known) {
    KIST_TRY(index.sync());
    KIST_TRY(index.move_in());
  }
  KIST_TRY(directory_.sync("index"));

  // Only now, when all they knew is known again, the damaged ones go.
  if (damaged_) {
    KIST_TRY_ASSIGN(auto files, directory_.names("index"));
    for (const std::string& name : files) {
      auto file = IndexFile::open(directory_, name);
      bool corrupt = file ? !(*file)->check() : file.error().kind == ErrorKind::corrupt;
      if (corrupt) KIST_TRY(directory_.remove("index/" + name));
    }
    damaged_ = false;
  }
  KIST_TRY(load(false));
  std::lock_guard lock(mutex_);
  if (all_read && now() - from_timespec(loaded_) > kSettled) recovered_ = {there.st_mtim, loaded_};
  return {};
}

Status Chunks::read(const Digest& id, Bytes& out) {
  auto found = read_anywhere(id, out);
  if (found) return found;
  // Perhaps another process has just written it, or the index lost it.
  KIST_TRY(refresh());
  found = read_anywhere(id, out);
  if (found) return found;
  if (auto recovered = recover(); !recovered) return found;
  return read_anywhere(id, out);
}

// What lies in one piece is read at once, and hashed side by side. Whatever is wrong with one of them, read() finds
// another place of it, or says it.
Status Chunks::read_each(std::span<const Digest> ids, std::span<Bytes> out) {
  const auto set = index();
  std::vector<IndexRecord> records(ids.size());
  std::vector<const IndexFile*> files(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out[i].clear();
    for (const auto& file : *set) {
      const auto found = file->find(ids[i]);
      if (!found || found->container >= file->containers()) continue;
      records[i] = *found;
      files[i] = file.get();
      break;
    }
  }
  for (std::size_t begin = 0, end = 0; begin < ids.size(); begin = end) {
    const auto follows = [&](std::size_t i) {
      return files[i] == files[begin] && records[i].container == records[begin].container &&
             records[i].offset == records[i - 1].offset + records[i - 1].stored;
    };
    for (end = begin + 1; end < ids.size() && follows(end);) ++end;
    if (files[begin] == nullptr) continue;
    const Container container = files[begin]->container(records[begin].container);
    (void)read_frames(container, std::span(records).subspan(begin, end - begin), out.subspan(begin, end - begin));
  }
  const std::vector<ByteSpan> parts(out.begin(), out.end());
  std::vector<Digest> digests(ids.size());
  sha256_each(parts, digests);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (digests[i] != ids[i]) KIST_TRY(read(ids[i], out[i]));
  return {};
}

// Frames that follow each other, decoded and not checked.
Status Chunks::read_frames(const Container& container, std::span<const IndexRecord> records, std::span<Bytes> out) {
  std::size_t compressed = 0;
  for (const IndexRecord& record : records) {
    if (record.stored > record.length || record.length > kLargestObject)
      return fail(ErrorKind::corrupt, "impossible lengths in the index");
    if (record.stored < record.length) compressed += record.stored;
  }
  thread_local Bytes frames;
  frames.resize(compressed);
  std::vector<iovec> parts;
  std::byte* next = frames.data();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const bool is_plain = records[i].stored == records[i].length;
    if (is_plain) out[i].resize(records[i].length);
    parts.push_back({is_plain ? out[i].data() : next, records[i].stored});
    if (!is_plain) next += records[i].stored;
  }
  KIST_TRY_ASSIGN(const auto file, open_container(container));
  KIST_TRY(read_fully(file->get(), parts, records.front().offset, directory_.show(container.path())));
  const std::byte* frame = frames.data();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].stored == records[i].length) continue;
    KIST_TRY(decode_frame({frame, records[i].stored}, records[i].length, out[i]));
    frame += records[i].stored;
  }
  return {};
}

Status Chunks::read_anywhere(const Digest& id, Bytes& out) {
  auto set = index();
  std::optional<Error> first;
  for (const auto& file : *set) {
    auto record = file->find(id);
    if (!record || record->container >= file->containers()) continue;
    Container container = file->container(record->container);
    Status read = [&]() -> Status {
      KIST_TRY_ASSIGN(auto opened, open_container(container));
      return read_frame(opened->get(), directory_.show(container.path()), *record, out);
    }();
    if (read) return read;
    if (!first) first = read.error();
  }
  if (first) {
    // A container that is not there is damage to the store; "not found" is kept for what never was.
    if (first->kind == ErrorKind::not_found) first->kind = ErrorKind::corrupt;
    if (first->kind == ErrorKind::corrupt)
      first->text += "; `kist fsck --repair` puts aside what is damaged, then pull it or save it again";
    return std::unexpected(*first);
  }
  return fail(ErrorKind::not_found,
              fmt::format("{} is not in the store {}", id.to_string(), directory_.root().string()));
}

Status Chunks::read_frame(int container, const std::string& path, const IndexRecord& record, Bytes& out) const {
  auto corrupt = [&](std::string_view what) {
    return fail(ErrorKind::corrupt, fmt::format("{}, byte {}: {}", path, record.offset, what));
  };
  if (record.stored > record.length || record.length > kLargestObject)
    return corrupt("impossible lengths in the index");
  thread_local Bytes frame;
  Bytes& raw = record.stored == record.length ? out : frame;
  raw.resize(record.stored);
  KIST_TRY(read_fully(container, raw.data(), raw.size(), record.offset, path));
  if (&raw == &frame)
    if (auto decoded = decode_frame(frame, record.length, out); !decoded) return corrupt(decoded.error().text);
  if (sha256(out) != record.id)
    return corrupt(fmt::format("the {} bytes there are not chunk {} any more", record.length, record.id.hex()));
  return {};
}

Result<std::shared_ptr<const FileDescriptor>> Chunks::open_container(const Container& container) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = open_.find(container.name); found != open_.end()) return found->second;
  }
  KIST_TRY_ASSIGN(auto file, directory_.open_file(container.path(), O_RDONLY));
  auto shared = std::make_shared<const FileDescriptor>(std::move(file));
  std::lock_guard lock(mutex_);
  if (open_.size() >= kOpenContainers) open_.clear();  // simple, and rare: a container is 64 MiB of reading
  open_.insert_or_assign(container.name, shared);
  return shared;
}

}  // namespace kist::store
