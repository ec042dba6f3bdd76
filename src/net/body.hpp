// Bytes on their way over the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace kist::net {

// What is to be sent: bytes in memory, or a piece of a file that nobody changes meanwhile.
struct Body {
  std::span<const std::byte> bytes;
  int file = -1;  // where not -1: this descriptor, from `offset`, instead of `bytes`; not closed
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // of the piece of the file

  std::uint64_t length() const { return file < 0 ? bytes.size() : size; }
  // A piece of it; `from` + `count` is at most length().
  Body piece(std::uint64_t from, std::uint64_t count) const;
};

inline Body text_body(std::string_view text) {
  return {.bytes = std::as_bytes(std::span(text))};
}

// Copies up to `into.size()` bytes of a body from `at` on; 0 at its end. Errors: io; also where the file is shorter
// than was said.
Result<std::size_t> read_body(const Body& body, std::uint64_t at, std::span<std::byte> into);

// Gives the body to `each` in pieces of at most 1 MiB.
Status read_body(const Body& body, const std::function<void(std::span<const std::byte>)>& each);

// Called as bytes have gone over the wire, from any thread; a repeated request counts again.
using Moved = std::function<void(std::uint64_t bytes)>;

// Takes what arrives, in order, in pieces. An error ends the transfer.
using Sink = std::function<Status(std::span<const std::byte>)>;

// Whether what `read` hands to the sink it is given is this body. Errors: those of `read`; of reading the body.
Result<bool> equals(const Body& body, const std::function<Status(const Sink&)>& read);

}  // namespace kist::net
