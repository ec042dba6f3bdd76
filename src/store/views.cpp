#include "store/views.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/file.h>

#include "base/system.hpp"
#include "store/adoption.hpp"
#include "store/file_time.hpp"
#include "store/walk.hpp"
#include "store/writer.hpp"

namespace kist::store {
namespace {

constexpr int kMostBeside = 16;  // views of one artifact, all but one of them damaged and still held
constexpr std::uint64_t kLargestState = 64 << 20;

class HeldView final : public View {
 public:
  HeldView(std::filesystem::path path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  const std::filesystem::path& path() const override { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor lock_;
};

// Changes each time the machine is started; empty where that cannot be told.
const std::string& this_boot() {
  static const std::string id = [] {
    auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
    return text ? text->substr(0, text->find('\n')) : std::string();
  }();
  return id;
}

Status lock(int descriptor, int operation, const std::string& path) {
  while (::flock(descriptor, operation) != 0)
    if (errno != EINTR) return fail_errno(fmt::format("cannot lock {}", path));
  return {};
}

std::string content_path(std::string_view path) {
  return path.empty() ? "content" : fmt::format("content/{}", path);
}

std::pair<std::string, std::string> split(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

std::string Views::name_of(const ArtifactId& id) {
  return fmt::format("{}-{}", id.tree.hex(), id.times.hex());
}

Result<std::unique_ptr<View>> Views::view(const ArtifactId& id) {
  for (int number = 0; number < kMostBeside;) {
    std::string name = name_of(id) + (number == 0 ? "" : fmt::format(".{}", number));
    auto held = hold(name);
    if (!held) {
      if (held.error().kind != ErrorKind::not_found) return std::unexpected(held.error());
      KIST_TRY(make(id, name));
      continue;
    }
    KIST_TRY_ASSIGN(bool good, intact(id, name));
    if (good) return std::make_unique<HeldView>(directory_.root() / "views" / name / "content", std::move(*held));
    held->reset();
    KIST_TRY_ASSIGN(bool gone, evict(name));
    if (!gone) ++number;
  }
  return fail(ErrorKind::unavailable,
              fmt::format("the view {} was changed by somebody and cannot be replaced while it is in use",
                          directory_.show("views/" + name_of(id))));
}

Result<FileDescriptor> Views::hold(const std::string& name) const {
  std::string path = "views/" + name;
  while (true) {
    KIST_TRY_ASSIGN(auto directory, directory_.open_file(path, O_RDONLY | O_DIRECTORY));
    KIST_TRY(lock(directory.get(), LOCK_SH, directory_.show(path)));
    struct stat own{};
    if (::fstat(directory.get(), &own) != 0) return fail_errno(fmt::format("cannot read {}", directory_.show(path)));
    KIST_TRY_ASSIGN(auto there, directory_.status(path));  // not_found: it was removed while we waited
    if (own.st_ino == there.st_ino) return directory;
  }
}

Result<bool> Views::evict(const std::string& name) {
  std::string path = "views/" + name;
  auto directory = directory_.open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    if (directory.error().kind == ErrorKind::not_found) return true;
    return std::unexpected(directory.error());
  }
  if (::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return fail_errno(fmt::format("cannot lock {}", directory_.show(path)));
  }
  struct stat own{};
  auto there = directory_.status(path);
  if (!there) return true;
  if (::fstat(directory->get(), &own) != 0 || own.st_ino != there->st_ino) return false;  // made anew meanwhile
  KIST_TRY_ASSIGN(auto trash, lease_.temporary_name());
  KIST_TRY(directory_.rename(path, trash));
  {
    std::lock_guard guard(mutex_);
    seen_intact_.erase(name);
  }
  KIST_TRY(discard(trash));
  return true;
}

Result<bool> Views::make(const ArtifactId& id, const std::string& name) {
  KIST_TRY_ASSIGN(auto tree, TreeCursor::open(chunks_, id));
  KIST_TRY_ASSIGN(auto temporary, lease_.temporary_name());
  KIST_TRY(directory_.make_directory(temporary));
  auto made = [&]() -> Result<bool> {
    State state;
    std::mutex linking;  // of what is linked, which several threads do
    WriteOptions options;
    options.link = [&](const TreeEntry& entry, int directory, const std::string& as) -> Result<bool> {
      KIST_TRY_ASSIGN(bool linked, link(entry, directory, as));
      if (!linked) return false;
      std::lock_guard guard(linking);
      state.linked.emplace_back(entry.content.id(), entry.path);
      return linked;
    };
    KIST_TRY(write_tree(tree, chunks_, "", directory_.root() / temporary / "content", options));
    KIST_TRY_ASSIGN(state.fingerprint, fingerprint(tree, temporary, state));
    std::string text = fmt::format("{}\n{}\n", this_boot(), state.fingerprint);
    for (const auto& [file, path] : state.linked) text += fmt::format("{} {}{}", file.hex(), path, '\0');
    KIST_TRY_ASSIGN(auto file, directory_.open_file(temporary + "/state", O_WRONLY | O_CREAT | O_EXCL));
    KIST_TRY(write_fully(file.get(), bytes_of(text), directory_.show(temporary + "/state")));
    auto renamed = directory_.rename(temporary, "views/" + name);
    if (!renamed && renamed.error().kind == ErrorKind::conflict) return false;
    KIST_TRY(renamed);
    std::lock_guard guard(mutex_);
    seen_intact_.insert(name);
    return true;
  }();
  if (!made || !*made) (void)discard(temporary);  // what remains is swept with this process's other files
  return made;
}

Result<bool> Views::intact(const ArtifactId& id, const std::string& name) {
  {
    std::lock_guard guard(mutex_);
    if (seen_intact_.contains(name)) return true;
  }
  auto state = read_state("views/" + name);
  if (!state || state->boot.empty() || state->boot != this_boot()) return false;
  for (const auto& [file, path] : state->linked) {
    Container container{Container::Kind::adopted, file, 0};
    if (!inodes_.make_sure(container, [&] { return check_adopted(container); })) return false;
  }
  KIST_TRY_ASSIGN(auto tree, TreeCursor::open(chunks_, id));
  auto now = fingerprint(tree, "views/" + name, *state);
  if (!now || *now != state->fingerprint) return false;
  std::lock_guard guard(mutex_);
  seen_intact_.insert(name);
  return true;
}

Result<Views::State> Views::read_state(const std::string& view) const {
  KIST_TRY_ASSIGN(auto bytes, directory_.read_file(view + "/state", kLargestState));
  std::string_view text = text_of(bytes);
  State state;
  auto line = [&](char end) {
    std::string_view part = text.substr(0, text.find(end));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    return std::string(part);
  };
  state.boot = line('\n');
  state.fingerprint = line('\n');
  while (!text.empty()) {
    std::string link = line('\0');
    auto file = Digest::parse(std::string_view(link).substr(0, link.find(' ')));
    if (!file) return fail(ErrorKind::corrupt, fmt::format("{} is damaged", directory_.show(view + "/state")));
    state.linked.emplace_back(*file, link.substr(link.find(' ') + 1));
  }
  return state;
}

// One checksum over what the kernel says of all entries.
Result<std::string> Views::fingerprint(TreeCursor& tree, const std::string& view, const State& state) const {
  KIST_TRY_ASSIGN(auto top, directory_.open_file(view, O_RDONLY | O_DIRECTORY));
  DirectoryChain chain(top.get(), directory_.show(view));
  std::set<std::string_view> linked;
  for (const auto& link : state.linked) linked.insert(link.second);
  Checksum checksum;
  KIST_TRY(tree.seek(""));
  while (true) {
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.next());
    if (entry == nullptr) break;
    auto [parent, name] = split(content_path(entry->path));
    KIST_TRY_ASSIGN(int directory, chain.open(parent));
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno(fmt::format("cannot read {}", chain.show(content_path(entry->path))));
    std::int64_t noted[] = {static_cast<std::int64_t>(status.st_ino),
                            status.st_mode,
                            status.st_size,
                            status.st_mtim.tv_sec,
                            status.st_mtim.tv_nsec,
                            status.st_ctim.tv_sec,
                            status.st_ctim.tv_nsec};
    // kist's other links to an adopted file move its ctime.
    std::size_t count = linked.contains(entry->path) ? 5 : std::size(noted);
    checksum.update(std::as_bytes(std::span(noted, count)));
  }
  Digest whole;
  auto sum = checksum.finish();
  std::ranges::copy(sum, whole.value.begin());
  return whole.hex().substr(0, 2 * sum.size());
}

Result<bool> Views::link(const TreeEntry& entry, int directory, const std::string& name) {
  if (entry.content.size < kAdoptFrom) return false;
  Container container{Container::Kind::adopted, entry.content.id(), entry.content.size};
  return inodes_.link(
      container, {entry.content.size, entry.mode, to_timespec(entry.modified)},
      [&] { return check_adopted(container); }, directory, name);
}

Status Views::check_adopted(const Container& container) const {
  KIST_TRY_ASSIGN(auto table, chunks_.table(container.path().substr(std::string_view("containers/").size())));
  KIST_TRY_ASSIGN(auto file, directory_.open_file(container.path(), O_RDONLY));
  Bytes bytes;
  for (const IndexRecord& frame : table.frames)
    KIST_TRY(chunks_.read_frame(file.get(), directory_.show(container.path()), frame, bytes));
  return {};
}

// Removes a view that has its name in tmp/ already, links to adopted files in the way that keeps them believed.
Status Views::discard(const std::string& path) {
  if (auto state = read_state(path)) {
    KIST_TRY_ASSIGN(auto top, directory_.open_file(path, O_RDONLY | O_DIRECTORY));
    DirectoryChain chain(top.get(), directory_.show(path));
    for (const auto& [file, entry] : state->linked) {
      auto [parent, name] = split(content_path(entry));
      if (auto directory = chain.open(parent)) KIST_TRY(inodes_.unlink(file, *directory, name));
    }
  }
  return directory_.remove_tree(path);
}

}  // namespace kist::store
