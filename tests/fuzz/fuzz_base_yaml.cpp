// Any text is either nodes or an error with a place in it, and what was read can be printed as JSON.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  kist::yaml::Options options;
  options.node_limit = 10'000;
  auto documents = kist::yaml::parse(text, "f", options);
  if (!documents) {
    if (!documents.error().text.starts_with("f:") || documents.error().text.starts_with("f:0")) __builtin_trap();
    return 0;
  }
  for (const kist::yaml::Node& document : *documents) (void)kist::to_text(kist::yaml::to_json(document));
  return 0;
}
