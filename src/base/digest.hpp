// The identity of bytes: an algorithm and its 32-byte value. Chunks, files, trees, times objects, containers and run
// records are all named by one.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kist {

struct Digest {
  enum class Algorithm : std::uint8_t { sha256 = 1 };

  Algorithm algorithm = Algorithm::sha256;
  std::array<std::byte, 32> value{};

  auto operator<=>(const Digest&) const = default;

  // "sha256:" and 64 lower-case hexadecimal digits.
  std::string to_string() const;
  // The 64 digits alone, for file names.
  std::string hex() const;
  // Reads either form. Errors: invalid.
  static Result<Digest> parse(std::string_view text);
};

// One SHA-256 in progress. Not thread-safe; reusable after finish(). OpenSSL's, with the processor's
// instructions.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  // The digest of all that was given since construction or the last finish(), and starts anew.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The digest of `bytes` at once. Thread-safe: each thread keeps a context of its own.
Digest sha256(std::span<const std::byte> bytes);
inline Digest sha256(std::string_view text) {
  return sha256(std::as_bytes(std::span(text)));
}

}  // namespace kist

template <>
struct std::hash<kist::Digest> {
  std::size_t operator()(const kist::Digest& digest) const noexcept {
    std::size_t first = 0;  // a digest is uniform already: its first bytes are its hash
    static_assert(sizeof first <= sizeof digest.value);
    __builtin_memcpy(&first, digest.value.data(), sizeof first);
    return first;
  }
};
