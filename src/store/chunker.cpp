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
  const auto& gear = gear_table();
  const std::size_t normal = std::min(end, kChunkNormal);
  std::uint64_t hash = 0;
  std::size_t at = kChunkMin;
  for (; at < normal; ++at) {
    hash = (hash << 1) + gear[std::to_integer<std::uint8_t>(bytes[at])];
    if ((hash & kMaskBefore) == 0) return at + 1;
  }
  for (; at < end; ++at) {
    hash = (hash << 1) + gear[std::to_integer<std::uint8_t>(bytes[at])];
    if ((hash & kMaskAfter) == 0) return at + 1;
  }
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
