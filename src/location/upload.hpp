// One object on its way out, as a stream.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace kist::location {

// What is said of an object beside its content.
struct Attributes {
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> metadata;  // names as "kist-mode", ASCII values
};

// Nothing is seen of it before finish(); destroyed before that, it leaves nothing behind. Not thread-safe.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual Status write(std::span<const std::byte> bytes) = 0;
  // Returns when the place has taken all of it.
  virtual Status finish() = 0;
};

}  // namespace kist::location
