// Any JSON is a run record or is refused; what was read is written and read again the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "model/record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = kist::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto run = kist::model::run_from_json(*json);
  if (!run) {
    if (run.error().text.empty()) __builtin_trap();
    return 0;
  }
  const kist::Json written = to_json(*run);
  const auto again = kist::model::run_from_json(written);
  if (!again || to_json(*again) != written) __builtin_trap();
  return 0;
}
