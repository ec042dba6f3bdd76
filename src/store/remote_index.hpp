// What a remote holds: its index objects, of which a copy lies in the local store's `remotes/KEY/`, where each is read
// once and mapped ever after. KEY is made from the remote's address. The copy is a cache: it may be removed at any
// time.
//
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "net/object_store.hpp"
#include "store/chunks.hpp"
#include "store/index.hpp"

namespace kist::store {

// The directory of a remote's cache below the local store.
std::string remote_cache(const net::ObjectStore& objects);

// The object that is a pack.
std::string pack_object(const Digest& name);

// Where a chunk lies on the remote.
struct RemotePlace {
  Container container;
  IndexRecord record;
};

// A pack that lies on the remote.
struct RemotePack {
  Container container;
  std::vector<PackRecord> records;
};

class RemoteIndex {
 public:
  // All must outlive it.
  RemoteIndex(const StoreDirectory& directory, Lease& lease, net::ObjectStore& objects);

  // Asks the remote for its index objects, and fetches those that are not here. A newer kist's are passed over. Errors:
  // corrupt, those of the place.
  Status refresh();
  // What who misses a chunk there can do, for an error.
  std::string what_to_do() const;

  std::shared_ptr<const IndexSet> set();
  static bool contains(const IndexSet& set, const Digest& id);
  // A place of a chunk in another pack than these.
  static std::optional<RemotePlace> find(const IndexSet& set, const Digest& id, std::span<const Digest> without = {});

  // Tells the remote, and who looks here, of packs that have arrived there. Merges index objects as the local
  // store does, so that there are few.
  Status add(const std::vector<RemotePack>& packs);

  // Brings what is said into line with the packs that are there: those that no index object names, left by a push that
  // was killed, are added by their tables; chunks of those that are gone or have another size are no longer claimed.
  // Call after refresh().
  Status reconcile();

 private:
  enum class Fetched { here, newer };
  Result<Fetched> fetch(const std::string& name);
  Status replace(std::span<const IndexSource> sources, const IndexSet& replaced);
  Status drop(const std::unordered_set<Digest>& gone);
  // nullopt where it is damaged.
  Result<std::optional<RemotePack>> read_table(const Container& pack);

  const StoreDirectory& directory_;
  Lease& lease_;
  net::ObjectStore& objects_;
  const std::string folder_;
  mutable std::mutex mutex_;               // of what follows
  std::unordered_set<std::string> newer_;  // index objects that only a newer kist reads
  std::shared_ptr<const IndexSet> set_ = std::make_shared<IndexSet>();
};

}  // namespace kist::store
