// Amounts as Kubernetes writes them: "500m", "1Gi", "1e3", "128974848".
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace kist {

class Quantity {
 public:
  // A decimal number, and behind it nothing, one of n u m k M G T P E, one of Ki Mi Gi Ti Pi Ei, or e and a power of
  // ten. More than fits into 64 bits is the most that does. Errors: invalid.
  static Result<Quantity> parse(std::string_view text);

  // Both rounded up, away from zero.
  std::int64_t whole() const;
  std::int64_t thousandths() const;

  auto operator<=>(const Quantity&) const = default;

 private:
  using Wide = __int128;
  explicit Quantity(Wide billionths) : billionths_(billionths) {}

  Wide billionths_ = 0;  // nothing smaller counts for Kubernetes: it is rounded up
};

}  // namespace kist
