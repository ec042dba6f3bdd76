#include "dialect/circleci/dialect.hpp"
#include "lower.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kist::fuzz::lower(kist::dialect::circleci::dialect(), data, size);
  return 0;
}
