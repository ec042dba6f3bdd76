#include "store/views.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>
#include <sys/file.h>

#include "base/system.hpp"
#include "store/adoption.hpp"
#include "store/container_table.hpp"
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
    if (good) {
      used(name);
      return std::make_unique<HeldView>(directory_.root() / "views" / name / "content", std::move(*held));
    }
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

bool Views::is_held(const std::string& name) const {
  auto directory = directory_.open_file("views/" + name, O_RDONLY | O_DIRECTORY);
  return directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0;
}

// Who cannot write it down is not kept from using the view.
void Views::used(const std::string& name) const {
  timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  (void)os::utimensat(directory_.descriptor(), ("views/" + name + "/state").c_str(), times, AT_SYMLINK_NOFOLLOW);
}

Result<Views::Evicted> Views::evict_unused(const std::function<bool(const ArtifactId&)>& unneeded,
                                           std::optional<std::uint64_t> budget, bool dry_run) {
  struct Known {
    std::string name;
    std::uint64_t bytes = 0;
    timespec used{};
    bool useless = false;
  };
  std::vector<Known> views;
  std::uint64_t total = 0;
  KIST_TRY_ASSIGN(auto names, directory_.names("views"));
  for (std::string& name : names) {
    Known& known = views.emplace_back(std::move(name));
    auto dash = known.name.find('-');
    auto tree = Digest::parse(std::string_view(known.name).substr(0, dash));
    auto times =
        Digest::parse(std::string_view(known.name).substr(dash == std::string::npos ? 0 : dash + 1).substr(0, 64));
    if (auto status = directory_.status("views/" + known.name + "/state")) known.used = status->st_mtim;
    auto state = read_state("views/" + known.name);
    if (state) known.bytes = state->bytes;
    known.useless = !state || !tree || !times || state->boot != this_boot() || (unneeded && unneeded({*tree, *times}));
    total += known.bytes;
  }
  std::ranges::sort(views, [](const Known& a, const Known& b) {
    if (a.useless != b.useless) return a.useless;
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  Evicted evicted;
  for (const Known& known : views) {
    if (!known.useless && (!budget || total <= *budget)) break;
    if (dry_run) {
      if (is_held(known.name)) continue;
    } else {
      KIST_TRY_ASSIGN(bool gone, evict(known.name));
      if (!gone) continue;
    }
    ++evicted.views;
    evicted.bytes += known.bytes;
    total -= known.bytes;
  }
  return evicted;
}

// Looking at all views takes a while where there are many, so not for each that is made. A cache that is too large is
// no reason to fail.
void Views::keep_budget(std::uint64_t made) {
  if (!budget_) return;
  {
    std::lock_guard guard(mutex_);
    if (made_since_ && *made_since_ + made < *budget_ / 16) {
      *made_since_ += made;
      return;
    }
    made_since_ = 0;
  }
  (void)evict_unused({}, budget_, false);
}

Result<bool> Views::make(const ArtifactId& id, const std::string& name) {
  KIST_TRY_ASSIGN(auto tree, TreeCursor::open(chunks_, id));
  KIST_TRY_ASSIGN(auto temporary, lease_.temporary_name());
  KIST_TRY(directory_.make_directory(temporary));
  std::uint64_t bytes = 0;
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
    std::string text = fmt::format("{}\n{} {}\n", this_boot(), state.fingerprint, state.bytes);
    for (const auto& [file, path] : state.linked) text += fmt::format("{} {}{}", file.hex(), path, '\0');
    KIST_TRY_ASSIGN(auto file, directory_.open_file(temporary + "/state", O_WRONLY | O_CREAT | O_EXCL));
    KIST_TRY(write_fully(file.get(), bytes_of(text), directory_.show(temporary + "/state")));
    auto renamed = directory_.rename(temporary, "views/" + name);
    if (!renamed && renamed.error().kind == ErrorKind::conflict) return false;
    KIST_TRY(renamed);
    bytes = state.bytes;
    std::lock_guard guard(mutex_);
    seen_intact_.insert(name);
    return true;
  }();
  if (!made || !*made) (void)discard(temporary);  // what remains is swept with this process's other files
  if (made && *made) keep_budget(bytes);
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
  if (auto space = state.fingerprint.find(' '); space != std::string::npos) {
    const char* digits = state.fingerprint.c_str() + space + 1;
    std::from_chars(digits, state.fingerprint.c_str() + state.fingerprint.size(), state.bytes);
    state.fingerprint.resize(space);
  }
  while (!text.empty()) {
    std::string link = line('\0');
    auto file = Digest::parse(std::string_view(link).substr(0, link.find(' ')));
    if (!file) return fail(ErrorKind::corrupt, fmt::format("{} is damaged", directory_.show(view + "/state")));
    state.linked.emplace_back(*file, link.substr(link.find(' ') + 1));
  }
  return state;
}

// One checksum over what the kernel says of all entries.
Result<std::string> Views::fingerprint(TreeCursor& tree, const std::string& view, State& state) const {
  KIST_TRY_ASSIGN(auto top, directory_.open_file(view, O_RDONLY | O_DIRECTORY));
  DirectoryChain chain(top.get(), directory_.show(view));
  std::set<std::string_view> linked;
  for (const auto& link : state.linked) linked.insert(link.second);
  Checksum checksum;
  state.bytes = 0;
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
    bool link = linked.contains(entry->path);
    if (!link) state.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    std::size_t count = link ? 5 : std::size(noted);
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
  KIST_TRY_ASSIGN(auto table, ContainerTable::open(directory_, container.file()));
  KIST_TRY_ASSIGN(auto file, directory_.open_file(container.path(), O_RDONLY));
  const std::string path = directory_.show(container.path());
  Bytes bytes;
  return table.each([&](const IndexRecord& frame) { return chunks_.read_frame(file.get(), path, frame, bytes); });
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
