// A remote: another home of artifacts, on anything that keeps objects (net/object_store.hpp), to push to and pull from.
// Its layout is in docs/format.md, "Remotes": the packs and index files of a store as objects, and references.
//
// Promise: what push() reported is on the remote, whole, before anything there refers to it; what pull() reported is in
// the local store, whole, every chunk checked. Either may be killed at any point and done again: what had arrived is
// not moved again, but for the packs that were under way, which are few (push.hpp says how few). Only what one side
// lacks is moved; which chunks the remote has is known from its index files, of which a copy is kept below the local
// store (remotes/).
//
// What is sent is what was asked for: a local pack that also holds chunks of other runs is not sent as it is.
//
// Memory: a few MiB for each transfer under way, and 15 MiB for the places of chunks, whatever the size of the run.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/record.hpp"
#include "net/object_store.hpp"
#include "store/chunks.hpp"
#include "store/store.hpp"

namespace kist::store {

// How far a transfer is. Numbers of bytes as they go over the wire; the total grows while it is found out.
struct Transfer {
  std::atomic<std::uint64_t> total = 0;
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> objects = 0;  // put or read
  std::uint64_t room = UINT64_MAX;         // what is seen to take more here is not fetched
};

// A reference of a remote, as it was read.
struct RemoteReference {
  Digest target;
  std::string version;  // of the object, for set_reference()
};

// Thread-safe, but for push() and pull(), of which one at a time may be under way.
class RemoteStore {
 public:
  virtual ~RemoteStore() = default;

  // Makes a place a remote: writes its `format` where there is none. Errors: those of opening; invalid (the place holds
  // something else); unsupported (it ignores conditions, so that two machines could overwrite each other's references:
  // the text says so).
  static Status create(net::ObjectStore& objects);

  // `store` is the directory of the local store, made where it is missing. Opens its own access to it: what is pulled
  // is found by every Store of that directory at its next look. Errors: not_found (no remote there: create() it),
  // corrupt (of another version), those of the place.
  static Result<std::unique_ptr<RemoteStore>> open(const std::filesystem::path& store,
                                                   std::unique_ptr<net::ObjectStore> objects);

  virtual net::ObjectStore& objects() = 0;

  // References of the remote: "runs/NAME", "tags/NAME". Errors: not_found, corrupt, unavailable.
  virtual Result<RemoteReference> reference(std::string_view name) = 0;
  // The names that begin with the prefix, in order.
  virtual Result<std::vector<std::string>> references(std::string_view prefix) = 0;
  // Sets a reference if it is still what was read (nullopt: if there is none). Atomic: of several who try, one does.
  // Errors: conflict.
  virtual Status set_reference(std::string_view name, const Digest& target,
                               const std::optional<RemoteReference>& expected) = 0;

  // What a reference was when it was last set or pulled from this local store; nullopt where it never was, or that was
  // forgotten. Tells a reference that somebody else has moved from one that is to be moved.
  virtual std::optional<Digest> last_seen(std::string_view name) = 0;
  virtual Status remember(std::string_view name, const Digest& target) = 0;

  // Sends run records and all they lead to: trees, times, chunk lists, chunks, logs. Errors: not_found, corrupt (here);
  // those of the place.
  virtual Status push(std::span<const Digest> records, Transfer& transfer) = 0;

  // Brings a run record and all it leads to. Until this object is destroyed nothing of it is collected: set references
  // to it first. Errors: corrupt (the remote lacks something, or it is not what it was: the text names the object),
  // no_space (also what is more than the transfer has room for).
  virtual Status pull(const Digest& record, Transfer& transfer) = 0;

  // Reads chunks from the local store where it has them, else from the remote, somewhat more at once than is asked for.
  // Thread-safe. Must not outlive this.
  virtual ChunkSource& source() = 0;
};

// A run record behind its digest. Errors: not_found, corrupt.
Result<model::RunRecord> read_run_record(ChunkSource& source, const Digest& record);

// Every artifact that a record names, each once: inputs, outputs, those of the runs it used, logs.
std::vector<ArtifactId> artifacts_of(const model::RunRecord& run);

}  // namespace kist::store
