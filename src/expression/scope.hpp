// What names mean at one moment, and the clock and the dice an expression may ask.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::expression {

// Where the functions that are no functions of their arguments (now, randAlpha, uuidv4 …) take their answers from.
struct Surroundings {
  std::function<Time()> now;
  std::function<void(std::span<std::byte>)> random;  // fills the bytes given
};

// Names are dotted: "inputs.parameters.x", "steps.a-b.outputs.result", "item". Expressions see them as nested maps:
// `steps['a-b'].outputs.result` asks for "steps.a-b.outputs.result".
class Scope {
 public:
  virtual ~Scope() = default;

  // The text of a name; nullopt: unknown, the reference stays as written; an error: unknown, and that must not be.
  // An error of kind not_found says that the value is absent (a skipped step's output): an expression may have a
  // fallback for it (`??`, `?.`); every other error ends the evaluation.
  virtual Result<std::optional<std::string>> find(std::string_view name) const = 0;

  // The value of a name, for expressions: what is not text (an item, an artifact) as it is; JSON null: known to be
  // absent. By default the text of find().
  virtual Result<std::optional<Json>> value(std::string_view name) const;

  // The known names below `prefix`, whole: "inputs.parameters.a" for "inputs.parameters"; all names for "". They are
  // what `keys(inputs.parameters)` and `toJson(inputs)` see, and make a member that is missing nil, not an unknown
  // name. Any order. By default none.
  virtual std::vector<std::string> names(std::string_view prefix) const;

  // nullptr (the default): there is no clock and no chance here; functions that need them say so. Lives as long as
  // the scope.
  virtual const Surroundings* surroundings() const;
};

}  // namespace kist::expression
