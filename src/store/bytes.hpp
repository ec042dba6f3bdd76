// Little-endian numbers and digests in and out of byte buffers. Reading never leaves the buffer: a reader that was
// asked for more than there is gives zeros from then on and says so once, at the end, so that a parser checks a whole
// record at once.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace kist::store {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

static_assert(std::endian::native == std::endian::little, "the formats are little-endian and read in place");

inline constexpr std::size_t kIdSize = 32;          // a digest where the algorithm is stated once for many
inline constexpr std::size_t kDigestSize = 1 + 32;  // a digest with its algorithm byte
inline constexpr std::size_t kMagicSize = 8;

inline ByteSpan bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Appends to a buffer that it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  void u16(std::uint16_t value) { number(value); }
  void u32(std::uint32_t value) { number(value); }
  void u64(std::uint64_t value) { number(value); }
  void i64(std::int64_t value) { number(value); }
  void raw(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text) { raw(bytes_of(text)); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  void id(const Digest& digest) { raw(digest.value); }
  void digest(const Digest& digest) {
    u8(static_cast<std::uint8_t>(digest.algorithm));
    id(digest);
  }

 private:
  template <typename T>
  void number(T value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  Bytes& out_;
};

// Reads from a buffer that must outlive it.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  // False once more was asked for than there was, or a digest had an algorithm that is not known.
  bool good() const { return good_; }
  std::size_t left() const { return rest_.size(); }

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int64_t i64() { return number<std::int64_t>(); }
  ByteSpan raw(std::size_t count) {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    ByteSpan taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::string_view text(std::size_t count) { return text_of(raw(count)); }
  bool zeros(std::size_t count) {
    ByteSpan bytes = raw(count);
    for (std::byte byte : bytes)
      if (byte != std::byte{0}) return false;
    return good_;
  }
  Digest id() {
    Digest digest;
    ByteSpan bytes = raw(kIdSize);
    if (good_) std::memcpy(digest.value.data(), bytes.data(), kIdSize);
    return digest;
  }
  Digest digest() {
    if (u8() != static_cast<std::uint8_t>(Digest::Algorithm::sha256)) good_ = false;
    return id();
  }

 private:
  template <typename T>
  T number() {
    T value{};
    ByteSpan bytes = raw(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  ByteSpan rest_;
  bool good_ = true;
};

}  // namespace kist::store
