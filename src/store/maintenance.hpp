// The care of a store: collecting what nobody needs, checking and repairing what is there, telling what it costs. For
// commands that work on a whole store; who saves and reads uses store.hpp. Any number of processes may save and read
// meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "store/store.hpp"

namespace kist::store {

// Something that must stay, with all it is made of: an artifact, or an object (a run record). The store does not know
// what an object refers to: its caller names that too.
struct Root {
  std::string name;  // for messages: "run grumpy-zebra-1, output"
  std::variant<Digest, ArtifactId> what;
};
// Names all roots as they are when it is called, one after the other, until `take` fails. It may be called several
// times.
using TakeRoot = std::function<Status(const Root&)>;
using Roots = std::function<Status(const TakeRoot& take)>;

struct CollectOptions {
  bool dry_run = false;                            // only count
  std::chrono::nanoseconds grace{0};               // how long a container must have been condemned before it goes
  bool compress = false;                           // also pack anew, with zstd, what was saved with LZ4
  std::optional<std::uint64_t> views_budget = {};  // bytes of views on disk that nobody uses; nullopt: no limit
};

// Bytes are those on disk.
struct Collected {
  std::uint64_t containers = 0;  // removed, or with dry_run: would be
  std::uint64_t bytes = 0;       // of them
  std::uint64_t repacked = 0;    // of these containers, those of which something was still needed
  std::uint64_t written = 0;     // bytes written for what was needed of them
  std::uint64_t waiting = 0;     // containers that are condemned and go when who may use them has ended
  std::uint64_t waiting_bytes = 0;
  std::uint64_t views = 0;
  std::uint64_t view_bytes = 0;
  std::vector<std::string> notices;  // what stays although it is not needed, and why
};

struct CheckOptions {
  bool repair = false;
  // Called from one thread at a time: bytes of containers that were read, and all there are.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

struct Finding {
  enum class Kind { container, index, reference, catalog, artifact, object };
  Kind kind = Kind::container;
  std::string place;  // a file of the store, or the root's name
  std::string text;   // what is wrong, and what was or can be done
  bool repaired = false;
  // Of an artifact: paths in it that cannot be read (at most 100), and how many there are.
  std::vector<std::string> paths = {};
  std::uint64_t path_count = 0;
};

struct Checked {
  std::uint64_t containers = 0;
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;  // of them, before compression
  std::uint64_t roots = 0;
  std::vector<Finding> findings;
  bool damaged() const {
    for (const Finding& finding : findings)
      if (!finding.repaired) return true;
    return false;
  }
};

// What a group of roots (a run) costs.
struct Cost {
  std::string name;
  std::uint64_t apparent = 0;  // the files of its artifacts, each artifact once
  std::uint64_t stored = 0;    // its chunks as they lie in containers, each once
  std::uint64_t unique = 0;    // of these, those no other group has: what goes when it goes
  std::uint64_t files = 0;
};
struct Group {
  std::string name;
  std::vector<Root> roots;
};
using TakeGroup = std::function<Status(const Group&)>;
using Groups = std::function<Status(const TakeGroup& take)>;

// Bytes on disk.
struct Usage {
  std::uint64_t containers = 0;
  std::uint64_t index = 0;
  std::uint64_t views = 0;
  std::uint64_t temporary = 0;
  std::uint64_t damaged = 0;  // what a repair set aside
};

// Not thread-safe.
class Maintenance {
 public:
  virtual ~Maintenance() = default;

  // Opens the store in `directory`. Errors: as Store::open.
  static Result<std::unique_ptr<Maintenance>> open(const std::filesystem::path& directory);

  // Writes the file again that says what the directory is, where that alone is missing; whether it did.
  static Result<bool> restore_format(const std::filesystem::path& directory);

  // Removes containers that hold nothing needed, rewrites those of which less than half is, and views. A container goes
  // only if nothing needs it and no process could have come to count on it: each that holds the store since before the
  // container was condemned has ended. Interrupted at any point, it goes on when called again. Errors: unavailable
  // (another one is at it), corrupt (a root cannot be read, so what it needs is not known; nothing was removed).
  virtual Result<Collected> collect(const Roots& roots, const CollectOptions& options) = 0;

  // Reads and checks all there is: containers, index, references, and that every root can be read whole. With `repair`,
  // the index is made anew where it is damaged, chunks of damaged containers are moved out of them, and what is left of
  // these is put into `damaged/`.
  virtual Result<Checked> check(const Roots& roots, const CheckOptions& options) = 0;

  // What each group costs, in their order.
  virtual Result<std::vector<Cost>> costs(const Groups& groups) = 0;
  virtual Result<Usage> usage() = 0;
};

// Bytes that a file or a directory with all that is in it takes on disk; a file with several links counts once. A
// missing one takes none.
std::uint64_t bytes_on_disk(const std::filesystem::path& path);

}  // namespace kist::store
