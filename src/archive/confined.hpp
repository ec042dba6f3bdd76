// A directory that is filled by names nobody vouches for: those of an archive, or of a server.
//
// Every name is taken apart here and walked one directory at a time, following no link, so that nothing outside can be
// reached whatever was made before. Links that could lead out are refused: a target that goes up must do so within the
// directory at every step of its way, and where it goes up after having gone down, so that links on its way could
// mislead the count, the kernel is asked in the end (openat2, RESOLVE_BENEATH).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::archive {

// A name taken apart: neither empty parts nor "." nor "..".
using Parts = std::vector<std::string>;

// Errors: invalid (absolute, or leads out by "..").
Result<Parts> take_apart(std::string_view path);
std::string join(std::span<const std::string> parts);

class ConfinedDirectory {
 public:
  struct Attributes {
    std::uint32_t mode = 0755;
    std::optional<Time> modified;
  };

  // Opens the directory, made where it is missing.
  static Result<ConfinedDirectory> open(const std::filesystem::path& path);

  // Missing directories on the way are made. What is there of the name is replaced, but no directory that is not empty.
  // Attributes of directories are applied by finish(): until then they are open to the owner.
  Status add_directory(const Parts& parts, const Attributes& attributes);
  Status add_link(const Parts& parts, const std::string& target, std::optional<Time> modified);
  // A new empty file, for writing; the caller sets its attributes through set_attributes().
  Result<FileDescriptor> add_file(const Parts& parts);
  static Status set_attributes(int file, const Attributes& attributes, std::string_view name);
  // False where `existing` is no regular file inside.
  Result<bool> add_hard_link(const Parts& parts, const Parts& existing);

  // Sets the directories' modes and times, and checks the links that only the kernel can follow.
  Status finish();

  // The first link whose way leaves the topmost directory it is in; a link at the top always does.
  const std::optional<std::string>& link_out_of_top() const { return link_out_of_top_; }

 private:
  ConfinedDirectory(std::filesystem::path path, FileDescriptor root) : path_(std::move(path)), root_(std::move(root)) {}
  Result<int> parent_of(const Parts& parts, bool make);
  Result<FileDescriptor> enter(int from, const Parts& parts, std::size_t depth, bool make);
  Status clear_place(int parent, const Parts& parts);
  Status check_link(const Parts& parts, std::string_view target);
  std::string shown(const Parts& parts) const;

  std::filesystem::path path_;
  FileDescriptor root_;
  Parts parent_;  // whose descriptor is kept: archives come directory by directory
  FileDescriptor parent_file_;
  std::map<std::string, Attributes> directories_;
  std::vector<std::string> winding_links_;
  std::optional<std::string> link_out_of_top_;
};

}  // namespace kist::archive
