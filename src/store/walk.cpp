#include "store/walk.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/system.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kOpenLevels = 100;
constexpr std::size_t kListingBuffer = 64 << 10;

std::uint8_t type_of(mode_t mode) {
  return static_cast<std::uint8_t>(IFTODT(mode));
}
}  // namespace

std::string DirectoryChain::show(std::string_view path) const {
  return path.empty() ? name_ : fmt::format("{}{}{}", name_, name_.ends_with('/') ? "" : "/", path);
}

Result<int> DirectoryChain::open(std::string_view path) {
  auto on_the_way = [&](const Level& level) {
    return level.end <= path.size() && (level.end == path.size() || path[level.end] == '/') &&
           path.substr(0, level.end) == std::string_view(path_).substr(0, level.end);
  };
  while (!levels_.empty() && !on_the_way(levels_.back())) levels_.pop_back();
  if (!levels_.empty() && !levels_.back().directory) levels_.clear();  // closed for depth: go down again

  path_ = path;
  while (levels_.empty() ? !path.empty() : levels_.back().end < path.size()) {
    std::size_t start = levels_.empty() ? 0 : levels_.back().end + 1;
    std::size_t end = std::min(path.find('/', start), path.size());
    int above = levels_.empty() ? top_ : levels_.back().directory.get();
    std::string component(path.substr(start, end - start));
    FileDescriptor directory(os::openat(above, component.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!directory) {
      std::string doing = fmt::format("cannot open the directory {}", show(path.substr(0, end)));
      if (errno == ENOTDIR || errno == ELOOP)
        return fail(ErrorKind::conflict, fmt::format("{}: it is not a directory", doing));
      return fail_errno(doing);
    }
    if (levels_.size() >= kOpenLevels) levels_[levels_.size() - kOpenLevels].directory.reset();
    levels_.push_back({end, std::move(directory)});
  }
  return levels_.empty() ? top_ : levels_.back().directory.get();
}

Result<DirectoryNames> DirectoryNames::read(int directory) {
  // A descriptor of its own, as the position in a listing belongs to the open file.
  FileDescriptor listing(os::openat(directory, ".", O_RDONLY | O_DIRECTORY));
  if (!listing) return fail_errno("cannot list it");
  DirectoryNames names;
  thread_local auto buffer = std::make_unique_for_overwrite<char[]>(kListingBuffer);
  while (true) {
    ssize_t count = ::getdents64(listing.get(), buffer.get(), kListingBuffer);
    if (count < 0) return fail_errno("cannot list it");
    if (count == 0) break;
    for (ssize_t at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.get() + at);
      at += entry->d_reclen;
      std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      std::uint8_t type = entry->d_type;
      if (type == DT_UNKNOWN) {
        struct stat status{};
        if (::fstatat(listing.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone already
        type = type_of(status.st_mode);
      }
      Item item{static_cast<std::uint32_t>(names.text_.size()), static_cast<std::uint16_t>(name.size()), type, false,
                entry->d_ino};
      names.text_ += name;
      names.text_ += '/';
      names.items_.push_back(item);
      if (type == DT_DIR) {
        item.below = true;
        names.items_.push_back(item);
      }
    }
  }
  auto key = [&](const Item& item) {
    return std::string_view(names.text_).substr(item.offset, std::size_t{item.length} + (item.below ? 1 : 0));
  };
  std::ranges::sort(names.items_, {}, key);
  return names;
}

}  // namespace kist::store
