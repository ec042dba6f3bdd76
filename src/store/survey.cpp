// The walk and the tree have the same order, so the two are gone through side by side.
#include "store/survey.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.hpp"
#include "store/file_time.hpp"
#include "store/walk.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

class Survey {
 public:
  Survey(std::optional<TreeCursor> tree, int top, std::string name, const std::function<bool(const Surveyed&)>& each)
      : tree_(std::move(tree)), chain_(top, std::move(name)), each_(each) {}

  Status run(const struct stat& top) {
    KIST_TRY(advance());
    Surveyed whole{.path = "", .directory = true, .differs = saved_ == nullptr || !is_same(top, -1, "")};
    if (saved_ != nullptr) KIST_TRY(advance());
    if (!each_(whole)) return {};
    enter("");
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next == level.names.items().size()) {
        levels_.pop_back();
        continue;
      }
      const DirectoryNames::Item& item = level.names.items()[level.next++];
      std::string name(level.names.name(item));
      std::string path = level.path.empty() ? name : fmt::format("{}/{}", level.path, name);
      if (item.below) {
        enter(path);
        continue;
      }
      KIST_TRY_ASSIGN(bool going_on, compare(level.path, name, path));
      if (!going_on) return {};
    }
    while (saved_ != nullptr) {
      KIST_TRY_ASSIGN(bool going_on, tell_gone());
      if (!going_on) return {};
    }
    return {};
  }

 private:
  struct Level {
    std::string path;
    DirectoryNames names;
    std::size_t next = 0;
  };

  // What cannot be listed counts as empty: it was removed just now, or cannot be saved either.
  void enter(const std::string& path) {
    auto directory = chain_.open(path);
    if (!directory) return;
    if (auto names = DirectoryNames::read(*directory)) levels_.push_back({path, std::move(*names)});
  }

  Result<bool> compare(const std::string& above, const std::string& name, const std::string& path) {
    while (saved_ != nullptr && saved_->path < path) {
      KIST_TRY_ASSIGN(bool going_on, tell_gone());
      if (!going_on) return false;
    }
    bool was_there = saved_ != nullptr && saved_->path == path;
    auto directory = chain_.open(above);
    struct stat status{};
    bool is_there = directory && ::fstatat(*directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    bool going_on = true;
    if (is_there || was_there) {
      Surveyed entry{.path = path,
                     .directory = is_there && S_ISDIR(status.st_mode),
                     .differs = !was_there || !is_there || !is_same(status, *directory, name)};
      bool can_be_saved = S_ISDIR(status.st_mode) || S_ISREG(status.st_mode) || S_ISLNK(status.st_mode);
      if ((entry.differs && (can_be_saved || was_there)) || entry.directory) going_on = each_(entry);
    }
    if (was_there) KIST_TRY(advance());
    return going_on;
  }

  // A directory's time follows from what happens in it; it is taken when something below it is.
  bool is_same(const struct stat& status, int directory, const std::string& name) const {
    if (saved_->mode != (status.st_mode & 07777)) return false;
    switch (saved_->type) {
      case EntryType::directory:
        return S_ISDIR(status.st_mode);
      case EntryType::file:
        return S_ISREG(status.st_mode) && saved_->content.size == static_cast<std::uint64_t>(status.st_size) &&
               saved_->modified == from_timespec(status.st_mtim);
      case EntryType::link: {
        if (!S_ISLNK(status.st_mode)) return false;
        std::string target(saved_->link_target.size() + 1, '\0');
        ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
        return length >= 0 &&
               std::string_view(target).substr(0, static_cast<std::size_t>(length)) == saved_->link_target;
      }
    }
    return false;
  }

  Result<bool> tell_gone() {
    bool going_on = each_({.path = saved_->path, .directory = false, .differs = true});
    KIST_TRY(advance());
    return going_on;
  }

  Status advance() {
    if (!tree_) return {};
    KIST_TRY_ASSIGN(saved_, tree_->next());
    return {};
  }

  std::optional<TreeCursor> tree_;
  const TreeEntry* saved_ = nullptr;  // the tree's next entry
  DirectoryChain chain_;
  std::vector<Level> levels_;
  const std::function<bool(const Surveyed&)>& each_;
};

}  // namespace

Status survey_tree(ChunkSource& source, const std::optional<ArtifactId>& id, const fs::path& directory,
                   const std::function<bool(const Surveyed&)>& each) {
  std::optional<TreeCursor> tree;
  if (id) {
    KIST_TRY_ASSIGN(tree, TreeCursor::open(source, *id));
  }
  FileDescriptor top(os::openat(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY));
  struct stat status{};
  if (!top || ::fstat(top.get(), &status) != 0)
    return fail_errno(fmt::format("cannot look at the directory {}", directory.string()));
  return Survey(std::move(tree), top.get(), directory.string(), each).run(status);
}

}  // namespace kist::store
