// Any bytes are an artifact's tree and times or are refused as damaged; what is read can be written again, and is the
// same then.
//
// The input is pieces, each behind its length: the tree's root, the times' root, then the chunks they name, which are
// given out whatever their digests are, one after the other.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "pieces.hpp"
#include "store/hard_links.hpp"
#include "store/reach.hpp"
#include "store/tree.hpp"

using namespace kist;
using namespace kist::store;

namespace {

class Pieces final : public ChunkSource {
 public:
  explicit Pieces(ByteSpan input) : pieces_(fuzz::split_into_pieces(input)) {}

  ArtifactId artifact() const {
    ArtifactId id;
    id.tree.value[0] = std::byte{1};
    id.times.value[0] = std::byte{2};
    return id;
  }

  Status read(const Digest& id, Bytes& out) override {
    std::size_t piece = 0;
    if (id == artifact().times) piece = 1;
    if (id != artifact().tree && id != artifact().times)
      piece = 2 + std::to_integer<std::size_t>(id.value[0]) % (pieces_.size() + 1);
    if (piece >= pieces_.size()) return fail(ErrorKind::not_found, "no such chunk");
    out = pieces_[piece];
    return {};
  }

 private:
  std::vector<Bytes> pieces_;
};

struct Everything final : ReachVisitor {
  Result<bool> enter(const Digest&, Kind, unsigned) override { return --left > 0; }
  Status leaf(const Digest&, std::uint32_t, std::string_view, bool) override { return {}; }
  Status broken(const Digest&, std::string_view, const Error&) override { return {}; }
  int left = 1000;
};

// What is kept of the tree is the same by every way there.
void read_and_write(Pieces& pieces, TreeCursor& tree) {
  std::vector<Bytes> put;
  TreeWriter writer([&](ByteSpan bytes) -> Result<Digest> {
    put.emplace_back(bytes.begin(), bytes.end());
    return sha256(bytes);
  });
  LinkedEntries linked(pieces, tree.id());
  MergedLinks links;
  while (true) {
    auto entry = tree.next();
    if (!entry || *entry == nullptr) {
      if (entry && writer.entries() > 0 && !writer.finish()) __builtin_trap();
      return;
    }
    if (!is_clean_path((*entry)->path)) __builtin_trap();
    const auto before = linked.before(**entry, "");
    if (before && *before != nullptr && (*before)->path >= (*entry)->path) __builtin_trap();
    TreeEntry copy = **entry;
    copy.extra.same_as = links.take(0, tree.number(), (*entry)->extra, writer.entries());
    if (copy.extra.same_as && *copy.extra.same_as >= writer.entries()) __builtin_trap();
    if (!writer.add(copy)) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Pieces pieces(std::as_bytes(std::span(data, size)));
  Everything everything;
  if (!reach(pieces, pieces.artifact(), everything)) __builtin_trap();
  if (auto tree = TreeCursor::open(pieces, pieces.artifact())) read_and_write(pieces, *tree);
  return 0;
}
