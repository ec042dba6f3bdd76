// Extended attributes of files on disk. Kept are those that belong to the file: "user.*", "trusted.*", access lists and
// capabilities; not those that the machine it lies on gave it: labels of security modules and what overlays note.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/extras.hpp"

namespace kist::store {

// Of an open file or directory. None where the file system has none. Errors: unsupported (more than
// kMostAttributeBytes), io.
Result<std::vector<Attribute>> read_attributes(int file);
// Of what is in a directory by this name, not of what a link there leads to: for what cannot be opened.
Result<std::vector<Attribute>> read_attributes_at(int directory, const std::string& name);

// What could not be set, to be told of once. Thread-safe.
class RefusedAttributes {
 public:
  void add(std::string_view path, std::string_view name, int error);
  // nullopt: all were set.
  std::optional<std::string> notice() const;

 private:
  mutable std::mutex mutex_;
  std::size_t count_ = 0;
  std::string first_;
};

// Sets them, of what is in a directory by this name, or, where it is empty, of what is open; `path` is for the notice.
// What the kernel, its user or the file system do not permit goes to `refused`. Errors: io.
Status set_attributes(int directory, const std::string& name, const std::vector<Attribute>& attributes,
                      std::string_view path, RefusedAttributes& refused);

}  // namespace kist::store
