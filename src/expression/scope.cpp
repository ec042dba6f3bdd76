#include "expression/scope.hpp"

#include <nlohmann/json.hpp>

namespace kist::expression {

Result<std::optional<Json>> Scope::value(std::string_view name) const {
  KIST_TRY_ASSIGN(auto text, find(name));
  if (!text) return std::nullopt;
  return Json(std::move(*text));
}

std::vector<std::string> Scope::names(std::string_view) const {
  return {};
}

const Surroundings* Scope::surroundings() const {
  return nullptr;
}

}  // namespace kist::expression
