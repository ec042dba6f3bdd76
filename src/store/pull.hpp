// Bringing what the local store lacks of a run record from a remote (remote.hpp, pull()).
//
// It goes down level by level: the record, the roots of its trees, their blocks, the lists of large files, and at last
// the content; each level is fetched at once, before it is read to find the next. What is wanted of a pack is sorted,
// and what lies near each other is one request; where most of a pack is wanted it is read through. Every chunk is
// checked against its digest, and stored by the frame it came in. What has come is committed each 64 MiB, or each four
// seconds where these bring more than 4 MiB; a pull that is killed goes on from there.
#pragma once

#include "net/object_store.hpp"
#include "store/chunks.hpp"
#include "store/publisher.hpp"
#include "store/remote.hpp"
#include "store/remote_index.hpp"

namespace kist::store {

struct PullContext {
  const StoreDirectory& directory;
  Lease& lease;
  Chunks& chunks;
  Publisher& publisher;
  net::ObjectStore& objects;
  RemoteIndex& index;
};

Status pull_record(const PullContext& context, const Digest& record, Transfer& transfer);

}  // namespace kist::store
