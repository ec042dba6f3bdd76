// Any text is a table of images or an error with its place; what was read can be asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "task/control.hpp"
#include "task/images.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kist::task::check_artifact_name(text);
  (void)kist::task::has_rich_shell(text);
  const auto rules = kist::task::parse_image_rules(text, "images.yaml", "/project");
  if (!rules) {
    if (!rules.error().text.starts_with("images.yaml")) __builtin_trap();
    return 0;
  }
  for (const auto& rule : *rules) (void)kist::task::find_image(*rules, rule.image);
  (void)kist::task::find_image(*rules, text);
  return 0;
}
