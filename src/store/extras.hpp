// What an artifact keeps of its entries besides what the tree says and the times: which of them are one file (hard
// links), and their extended attributes. It is no part of the tree's identity and stands in the times object, which is
// as it was without it where there is neither (docs/format.md, "Times").
//
// Both are lists in the order of the entries' numbers, in blocks that are chunks like any other, so that neither
// writing nor reading takes more memory than a block of each, and an artifact that has none of them pays nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/chunk_list.hpp"
#include "store/chunks.hpp"

namespace kist::store {

inline constexpr std::size_t kLongestAttributeName = 255;
inline constexpr std::size_t kMostAttributeBytes = 128 << 10;  // of one entry: names and values
inline constexpr std::size_t kMostHardLinks = 1 << 20;         // entries of one artifact that are one file with others

// An extended attribute.
struct Attribute {
  std::string name;  // with its namespace: "user.comment"
  std::string value;
  bool operator==(const Attribute&) const = default;
};

// What is kept of one entry.
struct Extra {
  std::vector<Attribute> attributes;  // sorted by name, each name once
  // Whether it is one file with other entries, and the number of the one before it that is: none for the first of them.
  bool shared = false;
  std::optional<std::uint64_t> same_as;
};

// Where the lists are.
struct Extras {
  struct Block {
    Digest id;
    std::uint32_t length = 0;
    std::uint64_t first = 0;  // the number of the first entry that it tells of
  };
  std::vector<Block> attributes;
  std::vector<Block> links;

  bool empty() const { return attributes.empty() && links.empty(); }
};

// Takes what there is of entries in ascending order. Memory: a block, and 16 bytes for each entry that is a hard link.
class ExtrasWriter {
 public:
  explicit ExtrasWriter(Put put) : put_(std::move(put)) {}

  // `attributes` as Extra has them, of no more than kMostAttributeBytes.
  Status add_attributes(std::uint64_t number, const std::vector<Attribute>& attributes);
  // The entry is the same file as an earlier one. Beyond kMostHardLinks it is not noted.
  void add_link(std::uint64_t number, std::uint64_t same_as);

  Result<Extras> finish();
  // How many links were not noted.
  std::uint64_t links_left_out() const { return links_left_out_; }

 private:
  Status close(std::vector<Extras::Block>& list, std::uint64_t first);

  Put put_;
  Extras extras_;
  Bytes block_;
  std::uint64_t block_first_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> links_;
  std::uint64_t links_left_out_ = 0;
};

// The lists' part of a times object's root.
void encode_extras(Bytes& out, const Extras& extras);
// `attributes`, `links`: how many blocks; `entries`: of the tree. Errors: corrupt.
Result<Extras> decode_extras(ByteReader& in, std::uint32_t attributes, std::uint32_t links, std::uint64_t entries);

// Reads what there is of an entry; quick where numbers ascend. Not thread-safe.
class ExtrasReader {
 public:
  // `extras` are the same in every call. Errors: corrupt, those of the source.
  Status read(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra);

 private:
  struct Open {
    std::optional<std::size_t> block;
    Bytes bytes;
    // Of attributes, how far they were read: their rest, the entry that it begins with, and the one before that.
    bool begun = false;
    ByteSpan rest;
    std::uint64_t next = 0;
    std::optional<std::uint64_t> previous;
  };
  static Result<bool> open(ChunkSource& source, const std::vector<Extras::Block>& list, std::uint64_t number,
                           Open& open);
  Status read_attributes(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra);
  Status read_link(ChunkSource& source, const Extras& extras, std::uint64_t number, Extra& extra);

  Open attributes_;
  Open links_;
};

}  // namespace kist::store
