// The content-addressed home of all artifact bytes: chunks in containers, trees, times, run records and named
// references. Formats: docs/format.md. An artifact is a tree (types, modes, links, content) together with its times.
//
// Promise: what commit() reported is there after kill -9 and power loss; what is read is checked against its digest.
// Any number of threads and processes may use one store at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::store {

class ChunkSource;

// Names an artifact: what it holds, and when its entries were modified.
struct ArtifactId {
  Digest tree;
  Digest times;
  auto operator<=>(const ArtifactId&) const = default;
};

enum class EntryType : std::uint8_t { file, directory, link };

// One entry of an artifact. Paths are relative, '/'-separated, any bytes but NUL; the top has the empty path.
struct Entry {
  std::string path;
  EntryType type = EntryType::file;
  std::uint32_t mode = 0;      // permission bits, 07777
  std::uint64_t size = 0;      // of a file
  std::string link_target;     // of a link, as written
  std::optional<Digest> file;  // of a file: SHA-256 over its (chunk id, length) list
  Time modified;
};

struct Saved {
  ArtifactId id;
  std::uint64_t bytes = 0;  // of all files
  std::uint64_t files = 0;
  // What could not be kept and was left out, "PATH: WHY", the path relative to the source and as it can be shown:
  // sockets, devices, unreadable files, too many attributes. At most 100, then "and N more".
  std::vector<std::string> notices;
};

struct SaveOptions {
  // The files below the source are kist's own and nobody writes to them any more: a large one may become a container by
  // link (adopted) instead of being copied. The source must be a path on the store's filesystem.
  bool adopt = false;
  // Unreadable files, sockets, devices: an error instead of a notice.
  bool strict = false;
  // Extended attributes are kept, where the store's options do not say so already.
  bool attributes = false;
};

// An entry of a directory that may have changed since the directory was saved.
struct Change {
  std::string path;     // relative to the directory, not empty
  bool settled = true;  // a file is taken whole or, where it changes while it is read, not at all; else as it is read
};

struct Updated {
  Saved saved;
  std::vector<std::string> unsettled;  // files that changed while they were read: they are as in the base
};

// An entry of a directory beside the artifact that the directory was saved as.
struct Surveyed {
  std::string_view path;   // valid only while it is handed out
  bool directory = false;  // it is one on disk
  bool differs = false;    // by type, mode, size, time or link target; or it is on one side only
};

// Where entries lie in a listing.
struct ListOptions {
  std::string prefix;     // only entries whose path is this or lies below it (component-wise); empty: all
  bool recursive = true;  // else only this entry and those directly in it
};

// One transaction of saves. Not thread-safe; use one per thread. Holds the store (see Hold) as long as it lives: keep
// it until what refers to its artifacts is written. Destruction without commit() leaves only garbage. Must not outlive
// its store. What it saved can be combined at once, and is found by the store after commit().
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Reads a tree (a file, a directory; a link at the top is followed) and stores what is missing. A file that changes
  // while it is read is read again, then an error. Errors: not_found, denied, no_space, io; unavailable (changed while
  // read).
  virtual Result<Saved> save(const std::filesystem::path& source, const SaveOptions& options = {}) = 0;

  // Stores one file artifact with this content.
  virtual Result<Saved> save_text(std::string_view content, std::uint32_t mode, Time modified) = 0;

  // One artifact that holds the entries of several, each below a directory prefix (or "" for at the top); of two
  // entries with one path the later wins. Directories on the way to a prefix are made, mode 0755.
  struct Part {
    std::string prefix;
    ArtifactId id;
  };
  virtual Result<Saved> combine(std::span<const Part> parts) = 0;

  // The artifact of a directory once more: `base` (nothing was saved yet where it is absent) with the entries at these
  // paths as they are on disk now. Nothing else is read: the cost is that of the changes and of writing the tree. What
  // is gone from disk goes with all below it; a directory is taken without what is below it, and so are those on the
  // way to a path. Errors: those of save() and combine(); files that cannot be read are left out.
  virtual Result<Updated> update(const std::optional<ArtifactId>& base, const std::filesystem::path& directory,
                                 std::span<const Change> changes) = 0;

  // Stores an immutable object that is no artifact (a run record) and returns its name.
  virtual Result<Digest> put_object(std::string_view bytes) = 0;

  // Makes all of it durable: containers, then index. The caller then writes its references.
  virtual Status commit() = 0;
};

// While it lives, nothing that is in the store now or comes into it is collected: for who works with artifacts that
// nothing refers to yet, or not any more. Must not outlive its store.
class Hold {
 public:
  virtual ~Hold() = default;
};

// A materialised artifact at a path on the store's filesystem, for mounting into tasks and for reading by programs.
// Nobody may write to it. Held while the object lives; the cache may evict it afterwards.
class View {
 public:
  virtual ~View() = default;
  // A directory, or the file itself for a file artifact.
  virtual const std::filesystem::path& path() const = 0;
};

struct RestoreOptions {
  bool overwrite = false;  // existing files are replaced; else: conflict
  bool merge = true;       // into an existing directory; else an existing target is a conflict
  // Gets what could not be restored and was left out: extended attributes that may not be set here.
  std::vector<std::string>* notices = nullptr;
};

struct StoreOptions {
  std::optional<std::uint64_t> views_budget = {};  // bytes on disk that views may take; nullopt: any
  bool attributes = false;                         // extended attributes of what is saved are kept
};

class Store {
 public:
  virtual ~Store() = default;

  // Opens the store in `directory`, creating it where there is none. Errors: denied, corrupt (unknown format version),
  // no_space.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& directory, const StoreOptions& options = {});

  virtual Result<std::unique_ptr<Transaction>> begin() = 0;
  virtual Result<std::unique_ptr<Hold>> hold() = 0;

  // Calls `each` for every entry that the options select, in path order (bytewise over the whole path: "a", "a-b",
  // "a/c"), until it returns false. The entry at the prefix itself comes first, so with an empty prefix the top entry.
  // Errors: not_found (artifact, prefix), corrupt.
  virtual Status list(const ArtifactId& id, const ListOptions& options,
                      const std::function<bool(const Entry&)>& each) = 0;
  // One entry. Errors: not_found.
  virtual Result<Entry> find(const ArtifactId& id, std::string_view path) = 0;
  // Bytes [offset, offset+length) of one file, in order, checked, in pieces of at most 256 KiB. `sink` may end it by an
  // error.
  using Sink = std::function<Status(std::span<const std::byte>)>;
  virtual Status read(const ArtifactId& id, std::string_view path, const Sink& sink, std::uint64_t offset = 0,
                      std::uint64_t length = UINT64_MAX) = 0;
  // Compares a directory with an artifact (nothing, where it is absent) without reading any content. Calls `each`, in
  // path order, for every directory, before its content is listed, and for every other entry that differs, until it
  // returns false. What appears or goes meanwhile may be missed. Errors: not_found, corrupt, io.
  virtual Status survey(const std::optional<ArtifactId>& id, const std::filesystem::path& directory,
                        const std::function<bool(const Surveyed&)>& each) = 0;
  // An object stored by put_object(). Errors: not_found, corrupt.
  virtual Result<std::string> object(const Digest& name) = 0;

  // Writes the artifact (or what lies at `path` inside it) to `target`: modes, links, empty directories, times; hard
  // links among its files; extended attributes; zero runs sparse; never through a link that it did not make itself. On
  // an error what was written stays. Errors: conflict, no_space, corrupt, …
  virtual Status restore(const ArtifactId& id, std::string_view path, const std::filesystem::path& target,
                         const RestoreOptions& options = {}) = 0;

  // All chunks, for those who read trees themselves: by TreeCursor (store/tree.hpp), compare(), pack_tree().
  // Thread-safe; valid as long as the store.
  virtual ChunkSource& chunks() = 0;

  // The artifact as files on disk, made if it is not there already. Hard links are files of their own in it.
  virtual Result<std::unique_ptr<View>> view(const ArtifactId& id) = 0;

  // Named references: "runs/NAME", "tags/NAME". Atomic and durable on return.
  // Sets a reference if it is now `expected` (nullopt: does not exist). Errors: conflict.
  virtual Status set_reference(std::string_view name, const Digest& target, const std::optional<Digest>& expected) = 0;
  virtual Result<Digest> reference(std::string_view name) = 0;
  virtual Result<std::vector<std::pair<std::string, Digest>>> references(std::string_view prefix) = 0;
  virtual Status remove_reference(std::string_view name) = 0;
};

}  // namespace kist::store
