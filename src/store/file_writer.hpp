// Makes the files and links of an artifact below a directory: new ones, never through a link, and in place of what is
// there only when complete. Directories are the caller's (writer.hpp).
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "store/attributes.hpp"
#include "store/tree.hpp"
#include "store/walk.hpp"
#include "store/writer.hpp"

namespace kist::store {

// Used by one thread; several may write below one directory.
class FileWriter {
 public:
  // All must outlive it. `name` stands for `top` in errors.
  FileWriter(int top, std::string name, ChunkSource& source, const WriteOptions& options, RefusedAttributes& refused)
      : chain_(top, std::move(name)), source_(source), options_(options), refused_(refused) {}

  // A file or link, and the directory that it is made in.
  struct One {
    TreeEntry entry;
    std::string parent;  // below the top
  };
  // Makes them in order, by the names they have in the tree.
  Status write(std::span<const One> entries);
  // Makes a file or link as `name` in the directory at `parent`.
  Status write(const TreeEntry& entry, std::string_view parent, const std::string& name) {
    return write(entry, parent, name, nullptr);
  }

  // Makes a file that is the same as one that was made before, `other` at `other_parent`: by a hard link, or, where
  // none is possible, as a file of its own.
  Status write_same(const TreeEntry& entry, std::string_view parent, const std::string& name,
                    std::string_view other_parent, const std::string& other);

  // A large file, of which several threads write parts.
  struct Large {
    TreeEntry entry;
    std::string parent;
    std::string name;
    std::string made_as;  // its name until it is complete
    FileDescriptor file;
    std::atomic<std::size_t> parts_left = 0;
    std::atomic<bool> failed = false;
  };
  // Makes the file, empty; nullptr where it is complete already, as a link. Then write_part() is to be called for each
  // of its parts, by any writers; the last to return completes the file.
  Result<std::shared_ptr<Large>> begin(const TreeEntry& entry, std::string_view parent, const std::string& name,
                                       std::size_t parts);
  // Writes the chunks that begin in [begin, end).
  Status write_part(Large& large, std::uint64_t begin, std::uint64_t end);

 private:
  Status read_ahead(std::span<const One> entries);
  Status write(const TreeEntry& entry, std::string_view parent, const std::string& name, const Bytes* content);
  Result<int> directory(std::string_view parent, const TreeEntry& entry);
  template <typename Make>
  Result<std::string> make(int directory, const std::string& path, const std::string& name, const Make& make_as);
  static Status settle(int directory, const std::string& made_as, const std::string& name);
  Result<bool> link(const TreeEntry& entry, int directory, const std::string& name);
  Status make_file(const TreeEntry& entry, int directory, const std::string& name, const Bytes* content);
  Status make_link(const TreeEntry& entry, int directory, const std::string& name);
  Status complete(const TreeEntry& entry, int file, bool hole_at_end);
  Status write_chunks(const TreeEntry& entry, int file, std::uint64_t begin, std::uint64_t end, bool& hole_at_end);

  DirectoryChain chain_;
  ChunkSource& source_;
  const WriteOptions& options_;
  RefusedAttributes& refused_;
  Bytes bytes_;
  std::vector<Digest> ahead_;  // the chunks that small files of one group are made of
  std::vector<Bytes> ahead_bytes_;
  std::random_device random_;
};

}  // namespace kist::store
