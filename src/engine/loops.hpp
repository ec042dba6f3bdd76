// The items of a loop, and what all of its members' outputs are together.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "expression/text.hpp"
#include "model/record.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// A longer loop is taken for a mistake.
inline constexpr std::size_t kMostItems = 1'000'000;

// Errors: the scope's; invalid: what is no JSON list, no number, more than kMostItems.
Result<std::vector<std::shared_ptr<const Json>>> expand(const model::Loop& loop, const expression::Scope& scope);

// "item", "item.KEY" (a text or JSON); nullopt: another name, or a key that the item does not have.
std::optional<std::string> find_in_item(std::string_view name, const Json& item);

// What "steps.LOOP.FIELD" says, of the members that succeeded, in the order of the items: "outputs.result" (their
// results, each JSON itself), "outputs.parameters" (a list of {NAME: VALUE}), "outputs.parameters.NAME" (a list of
// texts; of JSON values where each of them is a list or a map). Errors: invalid (a result that is no JSON), not_found
// (there are members, and none has such an output).
Result<std::string> aggregate(std::string_view field, std::span<const model::NodeRecord* const> members);

// The name of a member's artifact in the directory that stands for all of them: its index, with zeros before it so that
// names sort, and where the item is a text or a number, "_" and that, all but letters, digits, '.', '_' and '-' made
// '-': "07_blue".
std::string entry_name(std::size_t index, std::size_t count, const Json* item);

}  // namespace kist::engine
