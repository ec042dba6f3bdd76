#include "engine/references.hpp"

#include <optional>

#include "store/store.hpp"

namespace kist::engine {
namespace {
constexpr int kTries = 10;  // each lost to somebody who had just written it
}

Status refer(store::Store& store, const std::string& name, const Digest& record) {
  Status written;
  for (int i = 0; i < kTries; ++i) {
    std::optional<Digest> before;
    auto found = store.reference(name);
    if (found)
      before = *found;
    else if (found.error().kind != ErrorKind::not_found)
      return std::unexpected(found.error());
    if (before == record) return {};
    written = store.set_reference(name, record, before);
    if (written || written.error().kind != ErrorKind::conflict) return written;
  }
  return written;
}

}  // namespace kist::engine
