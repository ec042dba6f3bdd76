// A text is either refused or gives its source back; where it has no expressions, every reference stays as it was. A
// condition is true, false or refused. Neither crashes, whatever the input.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "expression/condition.hpp"
#include "expression/text.hpp"

namespace {

class Nothing : public kist::expression::Scope {
 public:
  kist::Result<std::optional<std::string>> find(std::string_view) const override { return std::nullopt; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view source(reinterpret_cast<const char*>(data), size);
  if (auto text = kist::expression::Text::parse(source)) {
    if (text->source() != source) __builtin_trap();
    auto filled = kist::expression::evaluate(*text, Nothing());
    if (!source.contains("{{=") && filled.value() != source) __builtin_trap();
    (void)kist::expression::references(*text);
  }
  (void)kist::expression::evaluate_condition(source);
  return 0;
}
