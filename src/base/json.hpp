// JSON values with their keys in the order written (listings put `name` and `status` first). Headers include this one;
// source files that build or read values include <nlohmann/json.hpp>.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"

namespace kist {

using Json = nlohmann::ordered_json;

// Reads one JSON text, nested at most 200 deep. Errors: invalid, with line and column.
Result<Json> parse_json(std::string_view text);
// Compact text. Bytes that are not UTF-8 are replaced by U+FFFD.
std::string to_text(const Json& value);
// The same over several lines, indented by two.
std::string to_pretty_text(const Json& value);

}  // namespace kist
