#include "store/writer.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <ranges>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.hpp"
#include "store/file_time.hpp"
#include "store/file_writer.hpp"
#include "store/hard_links.hpp"
#include "store/walk.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostWriters = 4;
constexpr std::size_t kMostEntries = 256;       // of one job
constexpr std::size_t kEnoughEntries = 32;      // a job that has them ends with their directory
constexpr std::uint64_t kMostBytes = 4 << 20;   // of one job
constexpr std::uint64_t kPart = 8 << 20;        // of a large file
constexpr std::uint64_t kLargeFrom = 16 << 20;  // written in parts

// What one thread does at a time: entries that follow each other, or a part of a large file.
struct WriterJob {
  std::vector<FileWriter::One> entries;
  std::uint64_t bytes = 0;
  std::shared_ptr<FileWriter::Large> large;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Does jobs in the order in which they are given, some at a time. After an error no more are begun, and the error of
// the first that failed is kept. give() and finish() are called by one thread, which works too while others are behind.
class Crew {
 public:
  using Make = std::function<std::unique_ptr<FileWriter>()>;
  explicit Crew(Make make) : make_(std::move(make)), own_(make_()) {}
  ~Crew() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      jobs_.clear();
    }
    changed_.notify_all();
  }

  Status give(WriterJob job) {
    std::unique_lock lock(mutex_);
    jobs_.push_back(std::move(job));
    // One job is quicker done than a thread is started.
    const std::size_t most = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostWriters) - 1;
    if (++given_ > 1 && helpers_.size() < most)
      helpers_.emplace_back([this] {
        auto writer = make_();
        (void)work(*writer, 0, true);  // finish() tells
      });
    lock.unlock();
    changed_.notify_one();
    return work(*own_, 2 * most, false);
  }

  // Returns when all is done.
  Status finish() {
    (void)work(*own_, 0, false);
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    helpers_.clear();
    return result_;
  }

  FileWriter& own() { return *own_; }

 private:
  // Does jobs until no more than `leave` are waiting.
  Status work(FileWriter& writer, std::size_t leave, bool wait) {
    std::unique_lock lock(mutex_);
    while (true) {
      if (wait) changed_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
      if (jobs_.size() <= leave) return result_;
      WriterJob job = std::move(jobs_.front());
      jobs_.pop_front();
      const std::size_t number = begun_++;
      const bool begin = result_.has_value() || job.large != nullptr;  // of a large file each part is counted
      lock.unlock();
      Status done = begin ? perform(writer, job) : Status();
      lock.lock();
      if (!done && (result_ || number < failed_)) {
        result_ = std::move(done);
        failed_ = number;
      }
    }
  }

  static Status perform(FileWriter& writer, const WriterJob& job) {
    if (job.large) return writer.write_part(*job.large, job.begin, job.end);
    return writer.write(job.entries);
  }

  Make make_;
  std::unique_ptr<FileWriter> own_;
  std::mutex mutex_;  // of what follows but the threads
  std::condition_variable changed_;
  std::deque<WriterJob> jobs_;
  std::size_t given_ = 0;
  std::size_t begun_ = 0;
  bool closed_ = false;
  Status result_;
  std::size_t failed_ = 0;  // the number of the job that result_ is of
  std::vector<std::jthread> helpers_;
};

class TreeFiles {
 public:
  TreeFiles(TreeCursor& tree, ChunkSource& source, const WriteOptions& options)
      : tree_(tree), source_(source), options_(options), linked_(source, tree.id()) {}

  Status write(std::string_view path, const fs::path& target) {
    KIST_TRY_ASSIGN(const TreeEntry* top, tree_.find(path));
    fs::path plain = target.has_filename() || target == target.root_path() ? target : target.parent_path();
    if (top->type == EntryType::directory) {
      KIST_TRY(open_top(*top, plain));
    } else {
      fs::path above = plain.has_parent_path() ? plain.parent_path() : fs::path(".");
      top_.reset(os::openat(AT_FDCWD, above.c_str(), O_RDONLY | O_DIRECTORY));
      if (!top_) return fail_errno(fmt::format("cannot open the directory {}", above.string()));
      hire(above.string());
      KIST_TRY(finish(write_top(*top, plain.filename().string())));
      tell();
      return {};
    }
    KIST_TRY(finish(write_below(std::string(path))));
    KIST_TRY(write_links(std::string(path)));
    KIST_TRY(finish_directories(std::string(path)));
    tell();
    return {};
  }

 private:
  // The directory that everything goes into. Only a new one gets the artifact's mode and time.
  Status open_top(const TreeEntry& entry, const fs::path& target) {
    bool made = os::mkdirat(AT_FDCWD, target.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return fail_errno(fmt::format("cannot create {}", target.string()));
    // A link as the last component is not followed, but for a descriptor that the caller gave by its number.
    std::string text = target.string();
    bool descriptor = target.parent_path() == "/proc/self/fd";
    int flags = O_RDONLY | O_DIRECTORY | (descriptor ? 0 : O_NOFOLLOW);
    top_.reset(os::openat(AT_FDCWD, text.c_str(), flags));
    if (!top_ && (errno == ENOTDIR || errno == ELOOP)) {
      if (!options_.overwrite)
        return fail(ErrorKind::conflict, fmt::format("{} exists and is not a directory", target.string()));
      if (os::unlinkat(AT_FDCWD, text.c_str(), 0) != 0 || os::mkdirat(AT_FDCWD, text.c_str(), 0700) != 0)
        return fail_errno(fmt::format("cannot replace {} by a directory", target.string()));
      made = true;
      top_.reset(os::openat(AT_FDCWD, text.c_str(), flags));
    }
    if (!top_) return fail_errno(fmt::format("cannot open the directory {}", target.string()));
    if (!made && !options_.merge) return fail(ErrorKind::conflict, fmt::format("{} exists already", target.string()));
    hire(text);
    if (made) top_made_ = Directory{"", entry.mode, entry.modified, entry.extra.attributes};
    return {};
  }

  void hire(const std::string& name) {
    chain_.emplace(top_.get(), name);
    crew_.emplace([this, name] { return std::make_unique<FileWriter>(top_.get(), name, source_, options_, refused_); });
  }

  // Waits for all jobs. Of what went wrong, a job's error is told: it came first.
  Status finish(const Status& given) {
    KIST_TRY(crew_->finish());
    return given;
  }

  // An artifact of one file or link.
  Status write_top(const TreeEntry& entry, const std::string& name) {
    if (is_large(entry)) return write_large(entry, "", name);
    return crew_->own().write(entry, "", name);
  }

  // Calls `each` with every entry below a prefix.
  template <typename Each>
  Status each_below(const std::string& prefix, const Each& each) {
    KIST_TRY(tree_.seek(prefix.empty() ? prefix : prefix + "/"));
    while (true) {
      KIST_TRY_ASSIGN(const TreeEntry* entry, tree_.next());
      if (entry == nullptr || !lies_in(entry->path, prefix)) return {};
      if (entry->path != prefix) KIST_TRY(each(*entry));
    }
  }

  static std::string_view relative(std::string_view path, std::string_view prefix) {
    return path.substr(prefix.empty() ? 0 : prefix.size() + 1);
  }

  Status write_below(const std::string& prefix) {
    const Status dealt = each_below(prefix, [&](const TreeEntry& entry) -> Status {
      const std::string_view path = relative(entry.path, prefix);
      if (entry.type == EntryType::directory) {
        KIST_TRY_ASSIGN(const bool made, make_directory(std::string(parent_of(path)), std::string(path)));
        made_.push_back(made);
        has_made_ = has_made_ || made;
        return {};
      }
      if (options_.hard_links && entry.extra.same_as) {
        KIST_TRY_ASSIGN(const TreeEntry* same, linked_.before(entry, prefix));
        has_links_ = has_links_ || same != nullptr;
        if (same != nullptr) return {};
      }
      return is_large(entry) ? write_large(entry, parent_of(path), std::string(name_of(path)))
                             : deal(entry, parent_of(path));
    });
    KIST_TRY(dealt);
    return deal_out();
  }

  // Hard links, when what they are links to is there.
  Status write_links(const std::string& prefix) {
    if (!has_links_) return {};
    return each_below(prefix, [&](const TreeEntry& entry) -> Status {
      if (!entry.extra.same_as) return {};
      KIST_TRY_ASSIGN(const TreeEntry* same, linked_.before(entry, prefix));
      if (same == nullptr) return {};
      const std::string_view path = relative(entry.path, prefix);
      const std::string_view other = relative(same->path, prefix);
      return crew_->own().write_same(entry, parent_of(path), std::string(name_of(path)), parent_of(other),
                                     std::string(name_of(other)));
    });
  }

  void tell() const {
    if (options_.notices == nullptr) return;
    if (auto notice = refused_.notice()) options_.notices->push_back(std::move(*notice));
  }

  static bool is_large(const TreeEntry& entry) {
    return entry.type == EntryType::file && entry.content.size >= kLargeFrom;
  }

  Status deal(const TreeEntry& entry, std::string_view parent) {
    const std::size_t count = job_.entries.size();
    if (count >= kMostEntries || job_.bytes >= kMostBytes ||
        (count >= kEnoughEntries && job_.entries.back().parent != parent))
      KIST_TRY(deal_out());
    job_.entries.push_back({entry, std::string(parent)});
    job_.bytes += entry.content.size;
    return {};
  }

  Status deal_out() {
    if (job_.entries.empty()) return {};
    return crew_->give(std::exchange(job_, {}));
  }

  Status write_large(const TreeEntry& entry, std::string_view parent, const std::string& name) {
    const std::uint64_t size = entry.content.size;
    const std::uint64_t parts = (size - 1) / kPart + 1;
    KIST_TRY_ASSIGN(auto large, crew_->own().begin(entry, parent, name, parts));
    if (large == nullptr) return {};
    Status given;
    // Each part is given even after an error: the last completes the file or takes it away.
    for (std::uint64_t begin = 0; begin < size; begin += kPart) {
      WriterJob job;
      job.large = large;
      job.begin = begin;
      job.end = std::min(size, begin + kPart);
      given = crew_->give(std::move(job));
    }
    return given;
  }

  // Whether it was not there before.
  Result<bool> make_directory(const std::string& parent, const std::string& path) {
    auto opened = chain_->open(parent);
    if (!opened && opened.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::corrupt, fmt::format("damaged tree: '{}' lies in no directory", path));
    KIST_TRY(opened);
    const int above = *opened;
    const std::string name(name_of(path));
    if (os::mkdirat(above, name.c_str(), 0700) == 0) return true;
    if (errno != EEXIST) return fail_errno(fmt::format("cannot create {}", chain_->show(path)));
    struct stat status{};
    if (::fstatat(above, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno(fmt::format("cannot read {}", chain_->show(path)));
    if (S_ISDIR(status.st_mode)) return false;
    if (!options_.overwrite)
      return fail(ErrorKind::conflict, fmt::format("{} exists and is not a directory", chain_->show(path)));
    if (os::unlinkat(above, name.c_str(), 0) != 0 || os::mkdirat(above, name.c_str(), 0700) != 0)
      return fail_errno(fmt::format("cannot replace {} by a directory", chain_->show(path)));
    return true;
  }

  // Modes and times of those that were made, when nothing is made in them any more: a directory before the one that it
  // lies in, whose mode may forbid to look into it. As there may be any number of them, the tree is gone through again.
  Status finish_directories(const std::string& prefix) {
    std::vector<Directory> open;  // what lies below them is not all behind
    auto close = [&]() -> Status {
      KIST_TRY(finish_directory(open.back()));
      open.pop_back();
      return {};
    };
    std::size_t number = 0;
    auto come_by = [&](const TreeEntry& entry) -> Status {
      if (entry.type != EntryType::directory) return {};
      const std::string_view path = relative(entry.path, prefix);
      // What is below "a" comes behind "a-b" and what is below that.
      while (!open.empty() && !lies_in(path, open.back().path) && path > open.back().path + "/") KIST_TRY(close());
      if (made_[number++]) open.push_back({std::string(path), entry.mode, entry.modified, entry.extra.attributes});
      return {};
    };
    if (has_made_) KIST_TRY(each_below(prefix, come_by));
    while (!open.empty()) KIST_TRY(close());
    return top_made_ ? finish_directory(*top_made_) : Status();
  }

  struct Directory {
    std::string path;
    std::uint16_t mode;
    Time modified;
    std::vector<Attribute> attributes;
  };

  Status finish_directory(const Directory& directory) {
    KIST_TRY_ASSIGN(int descriptor, chain_->open(directory.path));
    KIST_TRY(set_attributes(descriptor, "", directory.attributes, directory.path, refused_));
    timespec times[2] = {{0, UTIME_NOW}, to_timespec(directory.modified)};
    if (os::futimens(descriptor, times) != 0)
      return fail_errno(fmt::format("cannot set the time of {}", chain_->show(directory.path)));
    if (os::fchmod(descriptor, directory.mode) != 0)
      return fail_errno(fmt::format("cannot set the mode of {}", chain_->show(directory.path)));
    return {};
  }

  TreeCursor& tree_;
  ChunkSource& source_;
  const WriteOptions& options_;
  FileDescriptor top_;
  std::optional<DirectoryChain> chain_;
  std::optional<Directory> top_made_;
  std::vector<bool> made_;  // of each directory below the top, in the order of the tree: not there before
  bool has_made_ = false;
  WriterJob job_;  // of the next that is dealt out
  LinkedEntries linked_;
  bool has_links_ = false;
  RefusedAttributes refused_;
  std::optional<Crew> crew_;
};

}  // namespace

Status write_tree(TreeCursor& tree, ChunkSource& source, std::string_view path, const fs::path& target,
                  const WriteOptions& options) {
  return TreeFiles(tree, source, options).write(path, target);
}

}  // namespace kist::store
