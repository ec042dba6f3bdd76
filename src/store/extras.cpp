#include "store/extras.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "store/chunker.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kExtrasBlock = 64 << 10;
constexpr std::size_t kLinksInBlock = 4096;
constexpr std::size_t kLinkSize = 16;
constexpr std::size_t kBlockRecord = kDigestSize + 4 + 8;

std::unexpected<Error> damaged_extras(std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("damaged times: {}", what));
}

void encode_attributes(Bytes& out, const std::vector<Attribute>& attributes) {
  ByteWriter writer(out);
  writer.u16(static_cast<std::uint16_t>(attributes.size()));
  for (const Attribute& attribute : attributes) {
    writer.u8(static_cast<std::uint8_t>(attribute.name.size()));
    writer.text(attribute.name);
    writer.u32(static_cast<std::uint32_t>(attribute.value.size()));
    writer.text(attribute.value);
  }
}

Status decode_attributes(ByteReader& in, std::vector<Attribute>& attributes) {
  const std::size_t count = in.u16();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    Attribute attribute;
    attribute.name = in.text(in.u8());
    attribute.value = in.text(in.u32());
    bytes += attribute.name.size() + attribute.value.size();
    const bool ordered = attributes.empty() || attributes.back().name < attribute.name;
    if (attribute.name.empty() || attribute.name.contains('\0') || !ordered)
      return damaged_extras("an attribute has an impossible name");
    attributes.push_back(std::move(attribute));
  }
  if (!in.good() || attributes.empty() || bytes > kMostAttributeBytes)
    return damaged_extras("an entry's attributes are cut off or too many");
  return {};
}

}  // namespace

Status ExtrasWriter::add_attributes(std::uint64_t number, const std::vector<Attribute>& attributes) {
  if (attributes.empty()) return {};
  if (block_.empty()) block_first_ = number;
  ByteWriter(block_).u64(number);
  encode_attributes(block_, attributes);
  if (block_.size() >= kExtrasBlock) return close(extras_.attributes, block_first_);
  return {};
}

void ExtrasWriter::add_link(std::uint64_t number, std::uint64_t same_as) {
  if (links_.size() >= kMostHardLinks)
    ++links_left_out_;
  else
    links_.emplace_back(number, same_as);
}

Status ExtrasWriter::close(std::vector<Extras::Block>& list, std::uint64_t first) {
  KIST_TRY_ASSIGN(auto id, put_(block_));
  list.push_back({id, static_cast<std::uint32_t>(block_.size()), first});
  block_.clear();
  return {};
}

Result<Extras> ExtrasWriter::finish() {
  if (!block_.empty()) KIST_TRY(close(extras_.attributes, block_first_));
  // The first entry of each file is told of too, by its own number: who takes entries over has to know.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> all = links_;
  for (const auto& [number, same_as] : links_)
    if (!std::ranges::binary_search(links_, same_as, {}, [](const auto& link) { return link.first; }))
      all.emplace_back(same_as, same_as);
  std::ranges::sort(all);
  const auto twice = std::ranges::unique(all);
  all.erase(twice.begin(), twice.end());
  for (std::size_t i = 0; i < all.size();) {
    const std::uint64_t first = all[i].first;
    ByteWriter writer(block_);
    for (std::size_t end = std::min(all.size(), i + kLinksInBlock); i < end; ++i) {
      writer.u64(all[i].first);
      writer.u64(all[i].second);
    }
    KIST_TRY(close(extras_.links, first));
  }
  return std::move(extras_);
}

void encode_extras(Bytes& out, const Extras& extras) {
  ByteWriter writer(out);
  for (const auto* list : {&extras.attributes, &extras.links})
    for (const Extras::Block& block : *list) {
      writer.digest(block.id);
      writer.u32(block.length);
      writer.u64(block.first);
    }
}

Result<Extras> decode_extras(ByteReader& in, std::uint32_t attributes, std::uint32_t links, std::uint64_t entries) {
  Extras extras;
  const std::uint64_t all = std::uint64_t{attributes} + links;
  if (all == 0 || in.left() / kBlockRecord < all) return damaged_extras("its blocks are cut off");
  auto read = [&](std::uint32_t count, std::vector<Extras::Block>& list) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Extras::Block block;
      block.id = in.digest();
      block.length = in.u32();
      block.first = in.u64();
      const bool ordered = list.empty() || list.back().first < block.first;
      if (!in.good() || block.length == 0 || block.length > kChunkMax || block.first >= entries || !ordered)
        return false;
      list.push_back(block);
    }
    return true;
  };
  if (!read(attributes, extras.attributes) || !read(links, extras.links)) return damaged_extras("an impossible block");
  return extras;
}

// To the block that an entry's record would be in. False where it is in none.
Result<bool> ExtrasReader::open(ChunkSource& source, const std::vector<Extras::Block>& list, std::uint64_t number,
                                Open& open) {
  const auto after = std::ranges::upper_bound(list, number, {}, &Extras::Block::first);
  if (after == list.begin()) return false;
  const auto block = static_cast<std::size_t>(after - list.begin()) - 1;
  if (open.block == block) return true;
  open.block.reset();
  KIST_TRY(source.read(list[block].id, open.bytes));
  if (open.bytes.size() != list[block].length) return damaged_extras("a block of another length");
  open.block = block;
  open.begun = false;
  return true;
}

Status ExtrasReader::read_attributes(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra) {
  KIST_TRY_ASSIGN(const bool there, open(source, extras.attributes, number, attributes_));
  if (!there) return {};
  Open& at = attributes_;
  if (!at.begun || (at.previous && number <= *at.previous)) {
    at.begun = true;
    at.rest = at.bytes;
    at.previous.reset();
    at.next = ByteReader(at.rest).u64();
    if (at.next != extras.attributes[*at.block].first) return damaged_extras("a block does not begin with its entry");
  }
  while (at.next <= number && !at.rest.empty()) {
    ByteReader reader(at.rest);
    const std::uint64_t current = reader.u64();
    std::vector<Attribute> attributes;
    KIST_TRY(decode_attributes(reader, attributes));
    if (current == number) extra.attributes = std::move(attributes);
    at.rest = at.rest.last(reader.left());
    at.previous = current;
    if (at.rest.empty()) break;
    at.next = ByteReader(at.rest).u64();
    if (at.next <= current) return damaged_extras("its attributes are not in order");
  }
  return {};
}

Status ExtrasReader::read_link(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra) {
  KIST_TRY_ASSIGN(const bool there, open(source, extras.links, number, links_));
  if (!there) return {};
  const ByteSpan bytes = links_.bytes;
  if (bytes.size() % kLinkSize != 0) return damaged_extras("a block of hard links is cut off");
  std::size_t low = 0;
  for (std::size_t high = bytes.size() / kLinkSize; low < high;) {
    const std::size_t middle = (low + high) / 2;
    if (ByteReader(bytes.subspan(middle * kLinkSize)).u64() < number)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == bytes.size() / kLinkSize) return {};
  ByteReader reader(bytes.subspan(low * kLinkSize));
  if (reader.u64() != number) return {};
  const std::uint64_t same_as = reader.u64();
  if (same_as > number) return damaged_extras("a hard link to a later entry");
  extra.shared = true;
  if (same_as != number) extra.same_as = same_as;
  return {};
}

Status ExtrasReader::read(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra) {
  extra.attributes.clear();
  extra.shared = false;
  extra.same_as.reset();
  if (extras.empty()) return {};
  KIST_TRY(read_attributes(source, extras, number, extra));
  return read_link(source, extras, number, extra);
}

}  // namespace kist::store
