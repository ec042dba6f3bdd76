// Finding one's way below a directory by descriptors, one component at a time and never through a link: what happens
// above the directory, or a link that appears in it meanwhile, leads nowhere else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::store {

// The directories on the way to where one is. Entries come in path order, so the next is mostly near; all but the
// topmost few are closed and opened again where a tree is very deep. Not thread-safe.
class DirectoryChain {
 public:
  // `top` must outlive it; `name` stands for it in errors.
  DirectoryChain(int top, std::string name) : top_(top), name_(std::move(name)) {}

  // An open descriptor of the directory at this path below the top, valid until the next call.
  // Errors: not_found, denied, conflict (something on the way is no directory).
  Result<int> open(std::string_view path);
  // For errors.
  std::string show(std::string_view path) const;

 private:
  struct Level {
    std::size_t end;  // of its path in path_
    FileDescriptor directory;
  };
  int top_;
  std::string name_;
  std::string path_;
  std::vector<Level> levels_;
};

// Names of one directory, sorted as the paths below it sort: a directory counts once as itself, and once, as NAME/, for
// what is below it ("a", "a-b", "a/c").
class DirectoryNames {
 public:
  struct Item {
    std::uint32_t offset;
    std::uint16_t length;
    std::uint8_t type;  // DT_…, never unknown
    bool below;         // stands for what is below it
    ino_t inode;        // as the listing says: of a mount point, that of what it covers
  };
  // Errors: denied, not_found, io.
  static Result<DirectoryNames> read(int directory);

  const std::vector<Item>& items() const { return items_; }
  std::string_view name(const Item& item) const { return std::string_view(text_).substr(item.offset, item.length); }

 private:
  std::string text_;
  std::vector<Item> items_;
};

}  // namespace kist::store
