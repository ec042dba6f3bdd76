// Sending what a remote lacks of some run records (remote.hpp, push()).
//
// The records are walked, and the places of chunks that the remote's index does not know are gathered, up to a bound.
// They are then sorted by where they lie here, so that the disk is read in order, and cut into packs: of 64 MiB on a
// quick line, so that much goes as a few objects, and of as little as 4 MiB on a slow one (line.hpp). A local pack of
// some size of which every chunk is wanted goes as it is, where it is not too large for the line; everything else,
// small packs and adopted files too, is put together into new ones. Several packs are made and sent at once; when all
// have arrived the remote is told by an index object.
//
// When this is killed, the packs that were under way are lost, and no others: the next push first asks the remote which
// packs it has, and takes up those that no index names yet. So at most 8 MiB are sent again, or what the line carries
// in about four seconds where that is more, on whatever kind of place.
#pragma once

#include <span>

#include "net/object_store.hpp"
#include "store/chunks.hpp"
#include "store/remote.hpp"
#include "store/remote_index.hpp"

namespace kist::store {

struct PushContext {
  const StoreDirectory& directory;
  Lease& lease;
  Chunks& chunks;
  net::ObjectStore& objects;
  RemoteIndex& index;
};

Status push_records(const PushContext& context, std::span<const Digest> records, Transfer& transfer);

}  // namespace kist::store
