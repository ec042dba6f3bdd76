// SHA-256 of several byte strings that are there at once, in less time than one after the other: the processor's
// instructions for it wait for their own results half of the time, and two strings fill that time.
#pragma once

#include <span>

#include "base/digest.hpp"

namespace kist {

// digests[i] becomes the digest of parts[i]; there are as many of both. Where the processor has no such instructions,
// each is hashed by itself. Thread-safe.
void sha256_each(std::span<const std::span<const std::byte>> parts, std::span<Digest> digests);

}  // namespace kist
