#include "net/body.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/system.hpp"

namespace kist::net {

Body Body::piece(std::uint64_t from, std::uint64_t count) const {
  if (file < 0) return {.bytes = bytes.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(count))};
  return {.bytes = {}, .file = file, .offset = offset + from, .size = count};
}

Result<std::size_t> read_body(const Body& body, std::uint64_t at, std::span<std::byte> into) {
  const std::uint64_t left = at < body.length() ? body.length() - at : 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
  if (count == 0) return std::size_t{0};
  if (body.file < 0) {
    std::memcpy(into.data(), body.bytes.data() + at, count);
    return count;
  }
  const ssize_t got = os::pread(body.file, into.data(), count, static_cast<off_t>(body.offset + at));
  if (got < 0) return fail_errno("cannot read what is to be sent");
  if (got == 0) return fail(ErrorKind::io, "the file that is being sent is shorter than it was");
  return static_cast<std::size_t>(got);
}

Status read_body(const Body& body, const std::function<void(std::span<const std::byte>)>& each) {
  if (body.file < 0) {
    each(body.bytes);
    return {};
  }
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(body.size, 1 << 20)));
  for (std::uint64_t at = 0; at < body.size;) {
    KIST_TRY_ASSIGN(const std::size_t count, read_body(body, at, buffer));
    each(std::span(buffer).first(count));
    at += count;
  }
  return {};
}

Result<bool> equals(const Body& body, const std::function<Status(const Sink&)>& read) {
  std::vector<std::byte> buffer;
  std::uint64_t at = 0;
  bool equal = true;
  KIST_TRY(read([&](std::span<const std::byte> bytes) -> Status {
    while (equal && !bytes.empty()) {
      buffer.resize(bytes.size());
      KIST_TRY_ASSIGN(const std::size_t count, read_body(body, at, buffer));
      equal = count > 0 && std::memcmp(buffer.data(), bytes.data(), count) == 0;
      bytes = bytes.subspan(count);
      at += count;
    }
    return {};
  }));
  return equal && at == body.length();
}

}  // namespace kist::net
