// Any text is a home's settings or an error that names the file; sizes, ages and counts have their range.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/file.hpp"
#include "catalog/settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kist;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)catalog::parse_size(text);
  (void)catalog::parse_count(text);
  (void)catalog::parse_outcome(text);
  if (const auto age = catalog::parse_age(text); age && age->count() < 0) __builtin_trap();

  static const auto scratch = ScratchDirectory::make("/dev/shm", "kist-fuzz-").value();
  static const auto home = catalog::Home::open(scratch.path() / "home").value();
  if (!replace_file(home.path() / "settings.yaml", text, 0600)) __builtin_trap();
  const auto settings = catalog::read_settings(home);
  if (settings ? settings->grace.count() < 0 : !settings.error().text.contains("settings.yaml")) __builtin_trap();
  return 0;
}
