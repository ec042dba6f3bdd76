#include "store/tree.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "store/chunker.hpp"

namespace kist::store {
namespace {

constexpr std::string_view kTreeMagic = "kisttree";
constexpr std::string_view kTimesMagic = "kisttime";
constexpr std::uint8_t kTimesWithExtras = 2;  // version of a times object that has some
constexpr std::size_t kBlockMin = 16 << 10;
constexpr std::size_t kBlockMax = 64 << 10;
constexpr std::size_t kLargestBlock = kBlockMax + (256 << 10);  // the last entry may go beyond
constexpr std::uint64_t kBlockMask = 0xF800000000000000;        // one path in 32 ends a block that is long enough
constexpr std::size_t kLongestText = 0xFFFF;

enum class Code : std::uint8_t { file = 0, directory = 1, link = 2, long_file = 3 };

std::unexpected<Error> damaged_tree(std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("damaged tree: {}", what));
}

void write_root_header(Bytes& out, std::string_view magic, std::uint8_t version = kFormatVersion) {
  ByteWriter writer(out);
  writer.text(magic);
  writer.u8(version);
  writer.zeros(7);
}

// Returns the version, which is no later than the latest.
Result<std::uint8_t> read_root_header(ByteReader& in, std::string_view magic, std::uint8_t latest = kFormatVersion) {
  if (in.text(kMagicSize) != magic) return damaged_tree(fmt::format("does not begin with '{}'", magic));
  std::uint8_t version = in.u8();
  if (version > latest)
    return fail(
        ErrorKind::unsupported,
        fmt::format("'{}' of format version {}, this kist reads up to {}: use the newer one", magic, version, latest));
  if (version < kFormatVersion) return damaged_tree(fmt::format("format version {}", version));
  if (!in.zeros(7)) return damaged_tree("impossible header");
  return version;
}

}  // namespace

Entry to_entry(const TreeEntry& entry) {
  Entry result;
  result.path = entry.path;
  result.type = entry.type;
  result.mode = entry.mode;
  result.modified = entry.modified;
  result.link_target = entry.link_target;
  if (entry.type == EntryType::file) {
    result.size = entry.content.size;
    result.file = entry.content.id();
  }
  return result;
}

bool is_clean_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
    if (path.empty()) return false;
  }
  return true;
}

bool lies_in(std::string_view path, std::string_view prefix) {
  return prefix.empty() || (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'));
}

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

void encode_entry(Bytes& out, const TreeEntry& entry, std::string_view previous) {
  ByteWriter writer(out);
  auto shared = std::ranges::mismatch(entry.path, previous).in1 - entry.path.begin();
  writer.u16(static_cast<std::uint16_t>(shared));
  writer.u16(static_cast<std::uint16_t>(entry.path.size() - static_cast<std::size_t>(shared)));
  writer.text(std::string_view(entry.path).substr(static_cast<std::size_t>(shared)));
  Code code = entry.type == EntryType::directory ? Code::directory
              : entry.type == EntryType::link    ? Code::link
              : entry.content.depth > 0          ? Code::long_file
                                                 : Code::file;
  writer.u8(static_cast<std::uint8_t>(code));
  writer.u16(entry.mode);
  switch (code) {
    case Code::directory:
      break;
    case Code::link:
      writer.u16(static_cast<std::uint16_t>(entry.link_target.size()));
      writer.text(entry.link_target);
      break;
    case Code::file:
      writer.u8(static_cast<std::uint8_t>(entry.content.chunks.size()));
      for (const ChunkRecord& chunk : entry.content.chunks) write_chunk_record(out, chunk);
      break;
    case Code::long_file:
      writer.digest(entry.content.outside_id);
      writer.u64(entry.content.size);
      writer.u8(static_cast<std::uint8_t>(entry.content.depth));
      writer.digest(entry.content.root);
      break;
  }
}

Status decode_entry(ByteReader& in, TreeEntry& entry, bool first) {
  std::size_t shared = in.u16();
  std::size_t length = in.u16();
  std::string_view rest = in.text(length);
  if (!in.good() || shared > (first ? 0 : entry.path.size())) return damaged_tree("an entry is cut off");
  // Ascending order, and that no more could be shared, in one comparison.
  if (!first && (rest.empty() || (shared < entry.path.size() &&
                                  static_cast<std::uint8_t>(rest[0]) <= static_cast<std::uint8_t>(entry.path[shared]))))
    return damaged_tree("its paths are not in order");
  entry.path.resize(first ? 0 : shared);
  entry.path += rest;
  if (!is_clean_path(entry.path)) return damaged_tree(fmt::format("an entry's path is '{}'", entry.path));

  auto code = static_cast<Code>(in.u8());
  entry.mode = in.u16();
  entry.link_target.clear();
  FileContent& content = entry.content;
  content.size = 0;
  content.chunks.clear();
  content.depth = 0;
  switch (code) {
    case Code::directory:
      entry.type = EntryType::directory;
      break;
    case Code::link:
      entry.type = EntryType::link;
      entry.link_target = in.text(in.u16());
      if (entry.link_target.empty() || entry.link_target.find('\0') != std::string::npos)
        return damaged_tree(fmt::format("the link '{}' has no target", entry.path));
      break;
    case Code::file: {
      entry.type = EntryType::file;
      std::size_t count = in.u8();
      if (count > kInlineChunks) return damaged_tree(fmt::format("'{}' lists {} chunks", entry.path, count));
      for (std::size_t i = 0; i < count; ++i) {
        ChunkRecord& chunk = content.chunks.emplace_back(read_chunk_record(in));
        if (chunk.length == 0 || chunk.length > kChunkMax)
          return damaged_tree(fmt::format("'{}' has an impossible chunk", entry.path));
        content.size += chunk.length;
      }
      break;
    }
    case Code::long_file:
      entry.type = EntryType::file;
      content.outside_id = in.digest();
      content.size = in.u64();
      content.depth = in.u8();
      content.root = in.digest();
      if (content.depth == 0 || content.depth > kDeepestList)
        return damaged_tree(fmt::format("'{}' has an impossible list of chunks", entry.path));
      break;
    default:
      return damaged_tree(fmt::format("'{}' is of an unknown type", entry.path));
  }
  if (!in.good() || entry.mode > 07777) return damaged_tree(fmt::format("the entry '{}' is cut off", entry.path));
  return {};
}

Status TreeWriter::add(const TreeEntry& entry) {
  if (entries_ > 0 && entry.path <= previous_)
    throw std::logic_error(fmt::format("tree entries out of order: '{}' after '{}'", entry.path, previous_));
  if (entry.path.size() > kLongestText || entry.link_target.size() > kLongestText)
    return fail(ErrorKind::unsupported, fmt::format("'{}…' is a path or has a link target of more than {} bytes",
                                                    entry.path.substr(0, 100), kLongestText));
  if (block_entries_ == 0) {
    block_first_ = entry.path;
    encode_entry(block_, entry, {});
  } else {
    encode_entry(block_, entry, previous_);
  }
  ++block_entries_;
  ++entries_;
  previous_ = entry.path;
  if (entry.type == EntryType::file) {
    ++files_;
    bytes_ += entry.content.size;
  }
  ByteWriter(times_).i64(entry.modified.time_since_epoch().count());
  ++timed_;
  if (timed_ % kTimesInBlock == 0) {
    KIST_TRY_ASSIGN(auto id, put_(times_));
    ByteWriter(time_blocks_).digest(id);
    times_.clear();
  }
  KIST_TRY(extras_.add_attributes(entries_ - 1, entry.extra.attributes));
  if (entry.extra.same_as) extras_.add_link(entries_ - 1, *entry.extra.same_as);
  if (block_.size() >= kBlockMax || (block_.size() >= kBlockMin && (gear_hash(entry.path) & kBlockMask) == 0))
    return close_block();
  return {};
}

Status TreeWriter::close_block() {
  KIST_TRY_ASSIGN(auto id, put_(block_));
  ByteWriter writer(blocks_);
  writer.digest(id);
  writer.u32(static_cast<std::uint32_t>(block_.size()));
  writer.u32(block_entries_);
  writer.u16(static_cast<std::uint16_t>(block_first_.size()));
  writer.text(block_first_);
  if (blocks_.size() > kLargestObject / 2)
    return fail(ErrorKind::unsupported, "more entries than one artifact can have");
  ++block_count_;
  block_.clear();
  block_entries_ = 0;
  return {};
}

Result<Saved> TreeWriter::finish() {
  if (entries_ == 0) throw std::logic_error("a tree without its top entry");
  if (block_count_ > 0 && block_entries_ > 0) KIST_TRY(close_block());
  Bytes root;
  write_root_header(root, kTreeMagic);
  ByteWriter writer(root);
  writer.u64(entries_);
  writer.u64(bytes_);
  writer.u32(block_count_);
  writer.zeros(4);
  writer.raw(block_count_ > 0 ? blocks_ : block_);
  Saved saved;
  saved.files = files_;
  saved.bytes = bytes_;
  KIST_TRY_ASSIGN(saved.id.tree, put_(root));

  KIST_TRY_ASSIGN(saved.id.times, finish_times(saved));
  return saved;
}

Result<Digest> TreeWriter::finish_times(Saved& saved) {
  if (timed_ >= kTimesInBlock && !times_.empty()) {
    KIST_TRY_ASSIGN(auto id, put_(times_));
    ByteWriter(time_blocks_).digest(id);
  }
  KIST_TRY_ASSIGN(const Extras extras, extras_.finish());
  if (extras_.links_left_out() > 0)
    saved.notices.push_back(fmt::format("{} hard links are kept as files of their own: more than {} in one artifact",
                                        extras_.links_left_out(), kMostHardLinks));
  Bytes root;
  write_root_header(root, kTimesMagic, extras.empty() ? kFormatVersion : kTimesWithExtras);
  ByteWriter writer(root);
  writer.u64(timed_);
  if (!extras.empty()) {
    writer.u32(static_cast<std::uint32_t>(extras.attributes.size()));
    writer.u32(static_cast<std::uint32_t>(extras.links.size()));
    encode_extras(root, extras);
  }
  writer.raw(timed_ < kTimesInBlock ? times_ : time_blocks_);
  if (root.size() > kLargestObject)
    return fail(ErrorKind::unsupported, "more extended attributes than one artifact can have");
  return put_(root);
}

Result<TreeRoot> parse_tree_root(Bytes bytes) {
  ByteReader reader(bytes);
  KIST_TRY(read_root_header(reader, kTreeMagic));
  TreeRoot root;
  root.entries = reader.u64();
  root.bytes = reader.u64();
  std::uint32_t count = reader.u32();
  if (!reader.zeros(4) || root.entries == 0) return damaged_tree("impossible header");
  if (count == 0) {
    ByteSpan block = reader.raw(reader.left());
    root.only_block.assign(block.begin(), block.end());
    return root;
  }
  std::uint64_t entries = 0;
  while (reader.left() > 0) {
    TreeRoot::Block& block = root.blocks.emplace_back();
    block.id = reader.digest();
    block.length = reader.u32();
    block.entries = reader.u32();
    block.first_path = reader.text(reader.u16());
    block.first_entry = entries;
    entries += block.entries;
    bool ordered = root.blocks.size() == 1 ? block.first_path.empty()
                                           : root.blocks[root.blocks.size() - 2].first_path < block.first_path;
    if (!reader.good() || block.entries == 0 || block.length > kLargestBlock || !ordered)
      return damaged_tree("an impossible block");
  }
  if (root.blocks.size() != count || entries != root.entries) return damaged_tree("its blocks do not add up");
  return root;
}

Result<TimesRoot> parse_times_root(ByteSpan bytes) {
  ByteReader reader(bytes);
  KIST_TRY_ASSIGN(const std::uint8_t version, read_root_header(reader, kTimesMagic, kTimesWithExtras));
  TimesRoot root;
  root.count = reader.u64();
  if (version == kTimesWithExtras) {
    const std::uint32_t attributes = reader.u32();
    const std::uint32_t links = reader.u32();
    KIST_TRY_ASSIGN(root.extras, decode_extras(reader, attributes, links, root.count));
  }
  ByteSpan rest = reader.raw(reader.left());
  if (root.count < kTimesInBlock) {
    if (!reader.good() || rest.size() != root.count * 8) return damaged_tree("its times do not fill their object");
    root.only_block.assign(rest.begin(), rest.end());
    return root;
  }
  if (rest.size() % kDigestSize != 0 || rest.size() / kDigestSize != (root.count - 1) / kTimesInBlock + 1)
    return damaged_tree("its times do not fill their blocks");
  ByteReader blocks(rest);
  while (blocks.left() > 0) root.blocks.push_back(blocks.digest());
  if (!blocks.good()) return damaged_tree("an impossible block of times");
  return root;
}

std::vector<Digest> TimesRoot::parts() const {
  std::vector<Digest> ids = blocks;
  for (const auto* list : {&extras.attributes, &extras.links})
    for (const Extras::Block& block : *list) ids.push_back(block.id);
  return ids;
}

Result<TreeCursor> TreeCursor::open(ChunkSource& source, const ArtifactId& id) {
  TreeCursor cursor;
  cursor.source_ = &source;
  cursor.id_ = id;
  Bytes bytes;
  KIST_TRY(source.read(id.tree, bytes));
  KIST_TRY_ASSIGN(auto root, parse_tree_root(std::move(bytes)));
  cursor.root_ = std::make_unique<TreeRoot>(std::move(root));
  KIST_TRY(source.read(id.times, bytes));
  KIST_TRY_ASSIGN(cursor.times_, parse_times_root(bytes));
  if (cursor.times_.count != cursor.root_->entries)
    return damaged_tree(fmt::format("{} entries and {} times", cursor.root_->entries, cursor.times_.count));
  KIST_TRY(cursor.load(0));
  return cursor;
}

Status TreeCursor::load(std::size_t block) {
  block_ = block;
  first_ = true;
  repeat_ = false;
  if (root_->blocks.empty()) {
    rest_ = root_->only_block;
    number_ = 0;
    block_end_ = root_->entries;
    return {};
  }
  const TreeRoot::Block& which = root_->blocks[block];
  KIST_TRY(source_->read(which.id, bytes_));
  if (bytes_.size() != which.length) return damaged_tree("a block of another length");
  rest_ = bytes_;
  number_ = which.first_entry;
  block_end_ = number_ + which.entries;
  return {};
}

// Without the time, which costs a block of its own.
Result<bool> TreeCursor::advance() {
  if (number_ == block_end_) {
    if (!rest_.empty()) return damaged_tree("a block holds more than its entries");
    if (block_ + 1 >= root_->blocks.size()) return false;
    std::string previous = entry_.path;
    KIST_TRY(load(block_ + 1));
    if (root_->blocks[block_].first_path <= previous) return damaged_tree("its paths are not in order");
  }
  ByteReader reader(rest_);
  KIST_TRY(decode_entry(reader, entry_, first_));
  rest_ = rest_.last(reader.left());
  bool right =
      !first_ || (root_->blocks.empty() ? entry_.path.empty() : entry_.path == root_->blocks[block_].first_path);
  if (!right) return damaged_tree("a block does not begin with its path");
  first_ = false;
  ++number_;
  return true;
}

Status TreeCursor::seek(std::string_view path) {
  auto after = std::ranges::upper_bound(root_->blocks, path, {},
                                        [](const auto& block) { return std::string_view(block.first_path); });
  std::size_t block = after == root_->blocks.begin() ? 0 : static_cast<std::size_t>(after - root_->blocks.begin()) - 1;
  bool ahead = block == block_ && !first_ && entry_.path < path;  // in the block already: go on from here
  if (!ahead) KIST_TRY(load(block));
  repeat_ = false;
  while (true) {
    KIST_TRY_ASSIGN(bool there, advance());
    if (!there) return {};
    if (entry_.path >= path) {
      repeat_ = true;
      return {};
    }
  }
}

Result<const TreeEntry*> TreeCursor::next() {
  if (!repeat_) {
    KIST_TRY_ASSIGN(bool there, advance());
    if (!there) return nullptr;
  }
  repeat_ = false;
  KIST_TRY_ASSIGN(entry_.modified, time_of(number_ - 1));
  KIST_TRY(extras_.read(*source_, times_.extras, number_ - 1, entry_.extra));
  return &entry_;
}

Result<const TreeEntry*> TreeCursor::find(std::string_view path) {
  KIST_TRY(seek(path));
  if (!repeat_ || entry_.path != path) return fail(ErrorKind::not_found, fmt::format("the artifact has no '{}'", path));
  return next();
}

std::optional<std::size_t> TreeCursor::block_ahead() const {
  if (repeat_ || root_->blocks.empty()) return std::nullopt;
  if (first_) return block_;
  if (number_ == block_end_) return block_ + 1;
  return std::nullopt;
}

Status TreeCursor::skip_common(TreeCursor& other) {
  const auto here = block_ahead();
  const auto there = other.block_ahead();
  if (!here || !there) return {};
  const auto& blocks = root_->blocks;
  const auto& others = other.root_->blocks;
  std::size_t common = 0;
  while (*here + common < blocks.size() && *there + common < others.size() &&
         blocks[*here + common].id == others[*there + common].id)
    ++common;
  if (common == 0) return {};
  KIST_TRY(go_to_block(*here + common));
  return other.go_to_block(*there + common);
}

Status TreeCursor::go_to_block(std::size_t block) {
  if (block < root_->blocks.size()) return load(block);
  block_ = block - 1;
  number_ = block_end_ = root_->entries;
  rest_ = {};
  first_ = false;
  return {};
}

Result<Time> TreeCursor::time_of(std::uint64_t number) {
  ByteSpan times = times_.only_block;
  if (!times_.blocks.empty()) {
    std::size_t block = number / kTimesInBlock;
    if (time_block_ != block) {
      time_block_.reset();
      KIST_TRY(source_->read(times_.blocks[block], time_bytes_));
      std::uint64_t expected = std::min(kTimesInBlock, times_.count - block * kTimesInBlock);
      if (time_bytes_.size() != expected * 8) return damaged_tree("a block of times of another length");
      time_block_ = block;
    }
    times = time_bytes_;
  }
  ByteReader reader(times.subspan((number % kTimesInBlock) * 8, 8));
  return Time(std::chrono::nanoseconds(reader.i64()));
}

}  // namespace kist::store
