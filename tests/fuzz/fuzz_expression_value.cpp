// An expression is refused, or ends with a value or an error: it never crashes, loops or eats memory, whatever it says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "expression/expression.hpp"

namespace {

class Everything : public kist::expression::Scope {
 public:
  Everything() {
    surroundings_.now = [] { return kist::Time(); };
    surroundings_.random = [](std::span<std::byte> bytes) {
      for (std::byte& byte : bytes) byte = std::byte{7};
    };
  }
  kist::Result<std::optional<std::string>> find(std::string_view name) const override { return std::string(name); }
  kist::Result<std::optional<kist::Json>> value(std::string_view name) const override {
    if (name == "l") return kist::Json{1, 2.5, "a", nullptr};
    if (name == "m") return kist::Json{{"a", 1}, {"b", {1, 2}}};
    if (name.starts_with("n")) return std::nullopt;
    return kist::Json(name);
  }
  const kist::expression::Surroundings* surroundings() const override { return &surroundings_; }

 private:
  kist::expression::Surroundings surroundings_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view source(reinterpret_cast<const char*>(data), size);
  if (auto expression = kist::expression::Expression::parse(source)) {
    (void)expression->mentions();
    (void)kist::expression::evaluate_value(*expression, Everything());
    (void)kist::expression::evaluate_tag(*expression, Everything());
  }
  return 0;
}
