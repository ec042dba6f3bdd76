#include "store/numbered_tree.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::store {
namespace {

// About what an entry takes in memory.
std::size_t cost_of(const TreeEntry& entry) {
  return sizeof(TreeEntry) + entry.path.capacity() + entry.link_target.capacity() +
         entry.content.chunks.capacity() * sizeof(ChunkRecord);
}

Result<NumberedTree::Block> decode(ByteSpan bytes) {
  NumberedTree::Block block;
  ByteReader reader(bytes);
  TreeEntry entry;
  while (reader.left() > 0) {
    KIST_TRY(decode_entry(reader, entry, block.empty()));
    block.push_back(entry);
  }
  if (block.empty()) return fail(ErrorKind::corrupt, "damaged tree: an empty block");
  return block;
}

}  // namespace

Result<std::unique_ptr<NumberedTree>> NumberedTree::open(CachedChunks& chunks, BlockCache& blocks,
                                                         const ArtifactId& id) {
  std::unique_ptr<NumberedTree> tree(new NumberedTree(chunks, blocks, id));
  KIST_TRY_ASSIGN(const auto root, chunks.get(id.tree));
  KIST_TRY_ASSIGN(tree->root_, parse_tree_root(*root));
  KIST_TRY_ASSIGN(const auto times, chunks.get(id.times));
  KIST_TRY_ASSIGN(tree->times_, parse_times_root(*times));
  if (tree->times_.count != tree->root_.entries)
    return fail(ErrorKind::corrupt,
                fmt::format("damaged tree: {} entries and {} times", tree->root_.entries, tree->times_.count));
  return tree;
}

Status NumberedTree::load(std::size_t number, Pin& pin) {
  if (pin.block_ != nullptr && pin.number_ == number) return {};
  const bool small = root_.blocks.empty();
  const Digest& id = small ? id_.tree : root_.blocks[number].id;
  pin.number_ = number;
  pin.block_ = cache_.find(id);
  if (pin.block_ == nullptr) KIST_TRY(read_block(number, id, pin));
  // What is in the cache may be there for a root that says something else of it.
  const std::uint64_t entries = small ? root_.entries : root_.blocks[number].entries;
  const std::string_view first = small ? std::string_view() : root_.blocks[number].first_path;
  if (pin.block_->size() == entries && pin.block_->front().path == first) return {};
  pin.block_.reset();
  return fail(ErrorKind::corrupt, "damaged tree: a block does not hold the entries that it should");
}

Status NumberedTree::read_block(std::size_t number, const Digest& id, Pin& pin) {
  std::shared_ptr<const Bytes> held;
  ByteSpan bytes = root_.only_block;
  if (!root_.blocks.empty()) {
    KIST_TRY_ASSIGN(held, chunks_.get(id));
    bytes = *held;
    if (bytes.size() != root_.blocks[number].length)
      return fail(ErrorKind::corrupt, "damaged tree: a block of another length");
  }
  KIST_TRY_ASSIGN(Block block, decode(bytes));
  std::size_t cost = 0;
  for (const TreeEntry& entry : block) cost += cost_of(entry);
  pin.block_ = std::make_shared<const Block>(std::move(block));
  cache_.add(id, pin.block_, cost);
  return {};
}

Result<const TreeEntry*> NumberedTree::at(std::uint64_t number, Pin& pin) {
  if (root_.blocks.empty()) {
    KIST_TRY(load(0, pin));
    return &pin.block_->at(number);
  }
  const auto after = std::ranges::upper_bound(root_.blocks, number, {}, &TreeRoot::Block::first_entry);
  const auto block = static_cast<std::size_t>(after - root_.blocks.begin()) - 1;
  KIST_TRY(load(block, pin));
  return &pin.block_->at(number - root_.blocks[block].first_entry);
}

Result<Time> NumberedTree::modified(std::uint64_t number) {
  std::shared_ptr<const Bytes> held;
  ByteSpan times = times_.only_block;
  if (!times_.blocks.empty()) {
    KIST_TRY_ASSIGN(held, chunks_.get(times_.blocks.at(number / kTimesInBlock)));
    times = *held;
    number %= kTimesInBlock;
  }
  if ((number + 1) * 8 > times.size())
    return fail(ErrorKind::corrupt, "damaged tree: a block of times of another length");
  ByteReader reader(times.subspan(number * 8, 8));
  return Time(std::chrono::nanoseconds(reader.i64()));
}

Result<std::uint64_t> NumberedTree::lower_bound(std::string_view path, Pin& pin) {
  std::size_t block = 0;
  std::uint64_t first = 0;
  if (!root_.blocks.empty()) {
    const auto after = std::ranges::upper_bound(
        root_.blocks, path, {}, [](const TreeRoot::Block& one) { return std::string_view(one.first_path); });
    if (after != root_.blocks.begin()) block = static_cast<std::size_t>(after - root_.blocks.begin()) - 1;
    first = root_.blocks[block].first_entry;
  }
  KIST_TRY(load(block, pin));
  const auto found = std::ranges::lower_bound(*pin.block_, path, {},
                                              [](const TreeEntry& entry) { return std::string_view(entry.path); });
  return first + static_cast<std::uint64_t>(found - pin.block_->begin());
}

Result<std::optional<std::uint64_t>> NumberedTree::find(std::string_view path, Pin& pin) {
  KIST_TRY_ASSIGN(const std::uint64_t number, lower_bound(path, pin));
  if (number == size()) return std::nullopt;
  KIST_TRY_ASSIGN(const TreeEntry* entry, at(number, pin));
  if (entry->path != path) return std::nullopt;
  return number;
}

}  // namespace kist::store
