// The input of a fuzzer as several texts, each behind its length of two bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "store/bytes.hpp"

namespace kist::fuzz {

inline std::vector<store::Bytes> split_into_pieces(store::ByteSpan input) {
  std::vector<store::Bytes> pieces;
  while (input.size() >= 2) {
    std::uint16_t length = 0;
    std::memcpy(&length, input.data(), sizeof length);
    input = input.subspan(2);
    const store::ByteSpan piece = input.first(std::min<std::size_t>(length, input.size()));
    pieces.emplace_back(piece.begin(), piece.end());
    input = input.subspan(piece.size());
  }
  return pieces;
}

}  // namespace kist::fuzz
