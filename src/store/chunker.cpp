#include "store/chunker.hpp"

#include <algorithm>
#include <string>

#include "base/digest.hpp"

namespace kist::store {
namespace {

// Cuts are rarer before the normal size (18 bits must be zero) and more frequent after it (14): sizes gather around it.
// The top bits are used because a left-shifting hash mixes the most bytes into them.
constexpr std::uint64_t kMaskBefore = 0xFFFFC00000000000;
constexpr std::uint64_t kMaskAfter = 0xFFFC000000000000;

// The end of the chunk that ends in [at, end), or 0; `hash` goes on. Four bytes a round: each hash is taken from the
// one four bytes before it and from sums of the table alone, so that the processor need not wait for one byte's hash to
// begin with the next.
std::size_t find_cut(ByteSpan bytes, std::size_t at, std::size_t end, std::uint64_t mask, std::uint64_t& hash) {
  const std::uint64_t* gear = gear_table().data();
  const auto* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::uint64_t last = hash;
  for (; at + 4 <= end; at += 4) {
    const std::uint64_t one = gear[in[at]];
    const std::uint64_t two = (one << 1) + gear[in[at + 1]];
    const std::uint64_t three = (two << 1) + gear[in[at + 2]];
    const std::uint64_t four = (three << 1) + gear[in[at + 3]];
    if ((((last << 1) + one) & mask) == 0) return at + 1;
    if ((((last << 2) + two) & mask) == 0) return at + 2;
    if ((((last << 3) + three) & mask) == 0) return at + 3;
    last = (last << 4) + four;
    if ((last & mask) == 0) return at + 4;
  }
  for (; at < end; ++at) {
    last = (last << 1) + gear[in[at]];
    if ((last & mask) == 0) return at + 1;
  }
  hash = last;
  return 0;
}

}  // namespace

const std::array<std::uint64_t, 256>& gear_table() {
  static const auto table = [] {
    std::array<std::uint64_t, 256> numbers;
    std::string seed = "kist gear 1?";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      seed.back() = static_cast<char>(i);
      Digest digest = sha256(seed);
      std::memcpy(&numbers[i], digest.value.data(), sizeof numbers[i]);
    }
    return numbers;
  }();
  return table;
}

std::size_t first_chunk(ByteSpan bytes) {
  const std::size_t end = std::min(bytes.size(), kChunkMax);
  if (end <= kChunkMin) return end;
  std::uint64_t hash = 0;
  std::size_t normal = std::min(end, kChunkNormal);
  if (std::size_t cut = find_cut(bytes, kChunkMin, normal, kMaskBefore, hash)) return cut;
  if (std::size_t cut = find_cut(bytes, normal, end, kMaskAfter, hash)) return cut;
  return end;
}

std::uint64_t gear_hash(std::string_view text) {
  const auto& gear = gear_table();
  std::uint64_t hash = 0;
  for (char c : text) hash = (hash << 1) + gear[static_cast<std::uint8_t>(c)];
  return hash;
}

ByteSpan zero_bytes() {
  static std::array<std::byte, kChunkMax> zeros;  // not const: costs no bytes in the binary
  return zeros;
}

const Digest& zero_chunk() {
  static const Digest id = sha256(zero_bytes());
  return id;
}

}  // namespace kist::store
