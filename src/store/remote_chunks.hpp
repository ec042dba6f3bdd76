// The chunks of a remote, for reading without pulling. Where the local store has a chunk it is read there; otherwise
// from the remote, a window of a pack at a time, since what is read together was mostly written together. The last
// windows are kept. Memory: 32 MiB.
//
// Thread-safe; requests of several threads are under way at once.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "net/object_store.hpp"
#include "store/chunks.hpp"
#include "store/remote_index.hpp"

namespace kist::store {

class RemoteChunks final : public ChunkSource {
 public:
  // All must outlive it.
  RemoteChunks(Chunks& local, net::ObjectStore& objects, RemoteIndex& index)
      : local_(local), objects_(objects), index_(index) {}

  Status read(const Digest& id, Bytes& out) override;

 private:
  struct Window {
    Digest pack;
    std::uint64_t begin = 0;
    Bytes bytes;
  };
  Status read_at(const RemotePlace& place, Bytes& out);
  std::shared_ptr<const Window> kept(const RemotePlace& place);
  Result<std::shared_ptr<const Window>> fetch(const RemotePlace& place);

  Chunks& local_;
  net::ObjectStore& objects_;
  RemoteIndex& index_;
  std::mutex mutex_;
  std::list<std::shared_ptr<const Window>> windows_;  // the one used last comes first
};

}  // namespace kist::store
