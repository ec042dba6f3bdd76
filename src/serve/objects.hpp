// The object endpoint: a directory of objects over HTTP, as docs/serve.md describes it and net/kist_objects.hpp asks
// it.
#pragma once

#include "net/directory_objects.hpp"
#include "serve/server.hpp"

namespace kist::serve {

constexpr std::string_view kObjectsPath = "/api/kist/v1/objects";

// Answers at and below kObjectsPath. The directory must outlive it.
Handler objects_handler(net::ObjectDirectory& objects);

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
// What a header Range asks of so many bytes: the whole where it is empty or is not understood, which is what a server
// may answer then; nullopt where nothing of it is there.
std::optional<ByteRange> asked_range(std::string_view header, std::uint64_t size);

}  // namespace kist::serve
