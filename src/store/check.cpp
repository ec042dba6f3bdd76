// Every container is read once, several at a time, by its own table (by the index where the table is damaged). What
// does not have its digest is noted. Then the roots are walked: a chunk that was not noted and that the index finds is
// whole; one that was noted may still be read from another place. So the cost is one reading of the store, and memory
// is some bits a chunk.
//
// Repair never destroys: the whole chunks of a damaged container are stored anew, then the container is put aside into
// damaged/. What it held and nobody else has is lost; as the index does not name it any more, it is stored anew when it
// is saved again.
#include "store/check.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <fmt/format.h>
#include <sys/stat.h>

#include "store/condemned.hpp"
#include "store/container_table.hpp"
#include "store/index_upkeep.hpp"
#include "store/reach.hpp"
#include "store/references.hpp"
#include "store/rescue.hpp"
#include "store/rows.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kMostPaths = 100;  // named of one artifact
constexpr unsigned kMostCheckers = 8;
constexpr std::size_t kRowsOfOnePass = 1 << 17;  // 7 MB, and twice that while they are chosen
constexpr std::size_t kMostBroken = 1 << 18;     // chunks noted: 17 MB; with more each is read where it is needed

struct Damaged {
  Container container;
  bool has_table = false;   // that can be read; else the index says what it holds
  std::uint64_t whole = 0;  // chunks
  std::string text;
};

// Chunks of which some place is damaged.
class BrokenChunks {
 public:
  void note(const Digest& id) {
    if (ids_.size() < kMostBroken) ids_.insert(id);
  }
  bool may_have(const Digest& id) const { return ids_.size() == kMostBroken || ids_.contains(id); }

 private:
  std::unordered_set<Digest> ids_;
};

// Checks all that one artifact needs.
class Whole final : public ReachVisitor {
 public:
  Whole(Chunks& chunks, const Rows& rows, const BrokenChunks& broken)
      : chunks_(chunks),
        rows_(rows),
        broken_(broken),
        good_{RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count()),
              RowBits(rows.count()), RowBits(rows.count()), RowBits(rows.count())} {}

  std::optional<Finding> check(const Root& root) {
    finding_ = {};
    inside_.clear();
    if (const auto* object = std::get_if<Digest>(&root.what)) {
      Bytes bytes;
      auto read = chunks_.read(*object, bytes);
      if (read) return std::nullopt;
      return Finding{Finding::Kind::object, root.name, read.error().text};
    }
    // The visitor ends no walk.
    (void)reach(chunks_, std::get<ArtifactId>(root.what), *this);
    if (finding_.path_count == 0) return std::nullopt;
    finding_.kind = Finding::Kind::artifact;
    finding_.place = root.name;
    return std::move(finding_);
  }

  Result<bool> enter(const Digest& id, Kind kind, unsigned depth) override {
    auto row = rows_.find(id);
    if (row && bits(kind, depth).test(*row)) return false;
    inside_.push_back(finding_.path_count);
    return true;
  }
  void leave(const Digest& id, Kind kind, unsigned depth) override {
    bool good = inside_.back() == finding_.path_count;
    inside_.pop_back();
    if (auto row = rows_.find(id); good && row) bits(kind, depth).set(*row);
  }
  Status leaf(const Digest& id, std::uint32_t length, std::string_view path, bool) override {
    if (!broken_.may_have(id)) {
      auto row = rows_.find(id);
      if (row && (length == 0 || rows_.row(*row).record.length == length)) return {};
    }
    if (auto read = chunks_.read(id, bytes_); !read) return broken(id, path, read.error());
    if (length != 0 && bytes_.size() != length)
      return broken(id, path, {ErrorKind::corrupt, fmt::format("chunk {} has another length", id.hex())});
    return {};
  }
  Status broken(const Digest&, std::string_view path, const Error& why) override {
    if (finding_.path_count == 0) finding_.text = why.text;
    bool again = !finding_.paths.empty() && finding_.paths.back() == path;
    if (again) return {};
    ++finding_.path_count;
    if (finding_.paths.size() < kMostPaths) finding_.paths.emplace_back(path);
    return {};
  }

 private:
  RowBits& bits(Kind kind, unsigned depth) {
    std::size_t which = kind == Kind::list ? 2 + depth : static_cast<std::size_t>(kind);
    return good_[std::min(which, good_.size() - 1)];
  }

  Chunks& chunks_;
  const Rows& rows_;
  const BrokenChunks& broken_;
  std::array<RowBits, 7> good_;
  std::vector<std::uint64_t> inside_;
  Finding finding_;
  Bytes bytes_;
};

class Check {
 public:
  Check(const StoreParts& parts, const CheckOptions& options)
      : parts_(parts), directory_(parts.directory), chunks_(parts.chunks), options_(options) {}

  Result<Checked> run(const Roots& roots, const std::vector<std::string>& index_damage) {
    KIST_TRY(check_index(index_damage));
    KIST_TRY(read_containers());
    if (options_.repair && !damaged_.empty()) KIST_TRY(repair());
    KIST_TRY(check_references());
    KIST_TRY(check_roots(roots));
    return std::move(report_);
  }

 private:
  Status check_index(const std::vector<std::string>& before) {
    KIST_TRY_ASSIGN(auto now, damaged_index_files(directory_));
    if (!now.empty() && options_.repair) {
      KIST_TRY(chunks_.recover());
      KIST_TRY_ASSIGN(now, damaged_index_files(directory_));
    }
    std::vector<std::string> all = before;
    for (const std::string& name : now)
      if (std::ranges::find(all, name) == all.end()) all.push_back(name);
    for (const std::string& name : all) {
      bool still = std::ranges::find(now, name) != now.end();
      report_.findings.push_back({Finding::Kind::index, directory_.show("index/" + name),
                                  still ? "damaged; --repair makes it anew from the containers"
                                        : "was damaged; it was made anew from the containers",
                                  !still});
    }
    return chunks_.reload();
  }

  Status read_containers() {
    KIST_TRY_ASSIGN(auto names, directory_.names("containers"));
    std::erase_if(names, [](const std::string& name) { return name.ends_with(kTableSuffix); });
    std::ranges::sort(names);
    std::uint64_t total = 0;
    for (const std::string& name : names)
      if (auto status = directory_.status(std::string(kContainers) + name))
        total += static_cast<std::uint64_t>(status->st_size);

    std::atomic<std::size_t> next = 0;
    std::uint64_t done = 0;
    std::optional<Error> failed;
    auto work = [&] {
      while (true) {
        std::size_t number = next.fetch_add(1);
        if (number >= names.size()) return;
        auto read = read_container(names[number], [&](std::uint64_t bytes) {
          std::lock_guard lock(mutex_);
          done += bytes;
          if (options_.progress) options_.progress(done, total);
        });
        if (!read) {
          std::lock_guard lock(mutex_);
          if (!failed) failed = read.error();
          next = names.size();
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kMostCheckers);
      for (unsigned i = 1; i < count && i < names.size(); ++i) threads.emplace_back(work);
      work();
    }
    if (failed) return std::unexpected(*failed);
    std::ranges::sort(damaged_, {}, [](const Damaged& one) { return one.container.path(); });
    for (const Damaged& one : damaged_)
      report_.findings.push_back({Finding::Kind::container, directory_.show(one.container.path()), one.text});
    return {};
  }

  Status read_container(const std::string& name, const std::function<void(std::uint64_t)>& progress) {
    auto table = ContainerTable::open(directory_, name);
    Damaged found;
    if (table) {
      found.container = table->container();
      found.has_table = true;
    } else {
      auto status = directory_.status(std::string(kContainers) + name);
      if (!status) return {};  // collected meanwhile
      const auto container = Container::from_file(name, static_cast<std::uint64_t>(status->st_size));
      if (!container) return {};  // not ours
      const ErrorKind kind = table.error().kind;
      if (kind == ErrorKind::unsupported) {
        // A newer kist's, which this one neither judges nor replaces.
        std::lock_guard lock(mutex_);
        report_.findings.push_back({Finding::Kind::container, directory_.show(container->path()), table.error().text});
        return {};
      }
      // Who may not read it now, or has no descriptor left, has not found it damaged.
      if (kind != ErrorKind::corrupt && kind != ErrorKind::not_found) return std::unexpected(table.error());
      found.container = *container;
      found.text = table.error().text;
    }
    auto file = directory_.open_file(found.container.path(), O_RDONLY);
    if (!file && file.error().kind == ErrorKind::not_found) return {};
    if (!file) return std::unexpected(file.error());
    const std::string path = directory_.show(found.container.path());
    Bytes bytes;
    std::uint64_t broken = 0;
    std::uint64_t length = 0;
    std::uint64_t told = 0;
    std::uint64_t since = 0;
    std::string first;
    auto look = [&](const IndexRecord& frame) -> Status {
      auto read = chunks_.read_frame(file->get(), path, frame, bytes);
      if (!read && read.error().kind != ErrorKind::corrupt && read.error().kind != ErrorKind::io) return read;
      if (read) {
        length += frame.length;
        ++found.whole;
      } else {
        if (++broken == 1) first = read.error().text;
        std::lock_guard lock(mutex_);
        broken_.note(frame.id);
      }
      since += frame.stored;
      if (since > (8 << 20)) {
        progress(since);
        told += std::exchange(since, 0);
      }
      return {};
    };
    KIST_TRY(table ? table->each(look) : each_row_of(found.container, look));
    progress(found.container.size - std::min(found.container.size, told));
    std::lock_guard lock(mutex_);
    ++report_.containers;
    report_.chunks += found.whole + broken;
    report_.bytes += length;
    if (broken == 0 && found.text.empty()) return {};
    if (broken > 0)
      found.text += fmt::format("{}{} of its {} chunks are damaged; the first: {}", found.text.empty() ? "" : "; ",
                                broken, found.whole + broken, first);
    damaged_.push_back(std::move(found));
    return {};
  }

  // What the index says of a container whose own table cannot be read, in the order in which it lies. As rows are in
  // another order, each pass over them takes those that come next, as many as memory is for.
  Status each_row_of(const Container& container, const ContainerTable::Each& each) const {
    auto place = [](const IndexRecord& row) { return std::pair(row.offset, row.id); };
    std::optional<std::pair<std::uint64_t, Digest>> done;
    std::vector<IndexRecord> rows;
    while (true) {
      rows.clear();
      auto keep_next = [&] {
        std::ranges::sort(rows, {}, place);
        const auto repeated = std::ranges::unique(rows, {}, place);
        rows.erase(repeated.begin(), repeated.end());
        if (rows.size() > kRowsOfOnePass) rows.resize(kRowsOfOnePass);
      };
      each_row_unsorted(container, [&](const IndexRecord& row) {
        if (done && place(row) <= *done) return;
        rows.push_back(row);
        if (rows.size() >= 2 * kRowsOfOnePass) keep_next();
      });
      keep_next();
      if (rows.empty()) return {};
      for (const IndexRecord& row : rows) KIST_TRY(each(row));
      done = place(rows.back());
    }
  }

  void each_row_unsorted(const Container& container, const std::function<void(const IndexRecord&)>& each) const {
    const auto index = chunks_.index();
    for (const auto& file : *index) {
      std::vector<bool> is_it(file->containers());
      for (std::uint32_t i = 0; i < file->containers(); ++i) {
        Container other = file->container(i);
        is_it[i] = other.name == container.name && other.kind == container.kind;
      }
      if (std::ranges::find(is_it, true) == is_it.end()) continue;
      IndexRows rows(file);
      for (std::uint32_t i = 0; i < file->records(); ++i)
        if (IndexRecord row = rows[i]; row.container < is_it.size() && is_it[row.container]) each(row);
    }
  }

  // --- Repair
  // ---------------------------------------------------------------------------------------------------------

  Status repair() {
    KIST_TRY_ASSIGN(auto collecting, FileLock::lock(directory_.root() / "gc.lock", FileLock::Kind::exclusive));
    // As long as the store counts on a container, what it holds is not stored anew.
    CondemnedList list;
    KIST_TRY_ASSIGN(auto text, read_condemned(directory_));
    if (auto before = CondemnedList::parse(text)) list = std::move(*before);
    const CondemnedList others = list;
    for (const Damaged& one : damaged_) {
      KIST_TRY_ASSIGN(auto status, directory_.status(one.container.path()));
      list.items.push_back({one.container, status.st_ino, std::nullopt, now()});
    }
    KIST_TRY(write_condemned(directory_, parts_.lease, list));
    {
      KIST_TRY_ASSIGN(auto hold, parts_.lease.hold());
      KIST_TRY(chunks_.refresh());
      Rescue rescue(parts_);
      for (const Damaged& one : damaged_) KIST_TRY(store_anew(one, rescue));
      KIST_TRY(rescue.finish());
    }
    // Other containers may hold what is broken here, without the index naming it there.
    KIST_TRY(chunks_.recover());
    KIST_TRY(put_aside());
    KIST_TRY(write_condemned(directory_, parts_.lease, others));
    KIST_TRY(chunks_.refresh());
    for (const Damaged& one : damaged_)
      for (Finding& finding : report_.findings) {
        if (finding.place != directory_.show(one.container.path())) continue;
        finding.repaired = true;
        finding.text += fmt::format("; its {} whole chunks were stored anew, the rest was put into {}", one.whole,
                                    directory_.show("damaged"));
      }
    return {};
  }

  Status store_anew(const Damaged& one, Rescue& rescue) const {
    KIST_TRY(rescue.open(one.container));
    auto copy = [&](const IndexRecord& frame) { return rescue.copy(frame, Rescue::Damage::is_left_out); };
    if (!one.has_table) return each_row_of(one.container, copy);
    KIST_TRY_ASSIGN(auto table, ContainerTable::open(directory_, one.container.file()));
    return table.each(copy);
  }

  Status put_aside() {
    KIST_TRY(directory_.make_directory("damaged"));
    KIST_TRY_ASSIGN(auto merging, FileLock::lock(directory_.root() / "index.lock", FileLock::Kind::exclusive));
    KIST_TRY(chunks_.refresh());
    {
      KIST_TRY_ASSIGN(auto moving, FileLock::lock(directory_.root() / "containers.lock", FileLock::Kind::exclusive));
      for (const Damaged& one : damaged_) {
        const std::string name = one.container.file();
        KIST_TRY(directory_.rename(one.container.path(), "damaged/" + name));
        if (one.container.kind != Container::Kind::adopted) continue;
        auto moved = directory_.rename(one.container.table_path(), fmt::format("damaged/{}{}", name, kTableSuffix));
        if (!moved && moved.error().kind != ErrorKind::not_found) return moved;
        KIST_TRY(directory_.remove("inodes/" + one.container.name.hex()));
      }
    }
    KIST_TRY(directory_.sync("containers"));
    KIST_TRY(directory_.sync("damaged"));
    return forget_missing_containers(directory_, parts_.lease, chunks_);
  }

  // --- References and roots
  // -------------------------------------------------------------------------------------------

  Status check_references() {
    References references(directory_, parts_.lease);
    KIST_TRY_ASSIGN(auto kinds, directory_.names("refs"));
    for (const std::string& kind : kinds) {
      KIST_TRY_ASSIGN(auto files, directory_.names("refs/" + kind));
      for (const std::string& file : files) {
        auto kind_name = decode_reference_name(kind);
        auto name = decode_reference_name(file);
        std::string place = directory_.show("refs/" + kind + "/" + file);
        if (!kind_name || !name) {
          report_.findings.push_back({Finding::Kind::reference, place, "not a name kist gives: remove it"});
          continue;
        }
        auto target = references.get(*kind_name + "/" + *name);
        if (!target && target.error().kind != ErrorKind::not_found)
          report_.findings.push_back({Finding::Kind::reference, place, target.error().text});
      }
    }
    return {};
  }

  Status check_roots(const Roots& roots) {
    KIST_TRY(chunks_.refresh());
    Rows rows(directory_, chunks_.index());
    Whole whole(chunks_, rows, broken_);
    return roots([&](const Root& root) -> Status {
      ++report_.roots;
      if (auto finding = whole.check(root)) report_.findings.push_back(std::move(*finding));
      return {};
    });
  }

  const StoreParts& parts_;
  const StoreDirectory& directory_;
  Chunks& chunks_;
  const CheckOptions& options_;
  std::mutex mutex_;  // guards what threads add to
  Checked report_;
  std::vector<Damaged> damaged_;
  BrokenChunks broken_;
};

}  // namespace

Result<std::vector<std::string>> damaged_index_files(const StoreDirectory& directory) {
  std::vector<std::string> damaged;
  KIST_TRY_ASSIGN(auto names, directory.names("index"));
  for (const std::string& name : names) {
    auto file = IndexFile::open(directory, name);
    if (file ? !(*file)->check() : file.error().kind == ErrorKind::corrupt) damaged.push_back(name);
  }
  return damaged;
}

Result<Checked> check(const StoreParts& parts, const Roots& roots, const CheckOptions& options,
                      const std::vector<std::string>& index_damage) {
  return Check(parts, options).run(roots, index_damage);
}

}  // namespace kist::store
