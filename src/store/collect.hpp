// Collection: what no root needs goes.
//
// Two races decide how. A saver finds a chunk in the store and counts on it, while the collector decides that nobody
// needs it; and a saver refers to what it saved after the collector read the roots. So:
//
//   1. What is needed is marked, from the roots; containers without a needed chunk are condemned: their list is
//   replaced. Whoever takes a hold from now on sees the list, and stores what it condemns anew.
//   2. Of containers with less than half needed, that half is stored anew, in the same way: as it is condemned, the
//   store no longer counts as having it.
//   3. The holds are looked at. A container goes only if it was condemned before the oldest began: whoever could have
//   found it in the store has ended.
//   4. Then the roots are read again, and all that is needed by them too is marked: those who have ended may have left
//   references. What is still needed by nobody goes; the rest stays condemned, or, if it is needed after all, is not.
//   5. Containers are renamed away while no saver renames one into place (a moment); then their rows leave the index.
//
// A crash between these steps leaves containers that are condemned, or index rows without a container, which count for
// nothing; the next collection goes on.
#pragma once

#include "store/maintenance.hpp"
#include "store/parts.hpp"

namespace kist::store {

Result<Collected> collect(const StoreParts& parts, const Roots& roots, const CollectOptions& options);

}  // namespace kist::store
