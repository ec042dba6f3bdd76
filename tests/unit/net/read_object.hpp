// A whole object, or a part of it, as a test compares it.
#pragma once

#include <string>
#include <string_view>

#include "net/object_store.hpp"

namespace kist::net {

// Its bytes, or the kind of the error.
inline std::string read_object(ObjectStore& objects, std::string_view name, std::uint64_t offset = 0,
                               std::uint64_t length = UINT64_MAX) {
  std::string all;
  auto got = objects.get(
      name,
      [&](std::span<const std::byte> bytes) -> Status {
        all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
      },
      offset, length);
  return got ? all : std::string(to_string(got.error().kind));
}

}  // namespace kist::net
