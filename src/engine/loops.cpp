#include "engine/loops.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/item.hpp"

namespace kist::engine {
namespace {

using Items = std::vector<std::shared_ptr<const Json>>;

constexpr std::string_view kParameter = "outputs.parameters.";

// Items are JSON: what is filled into their texts is escaped.
class EscapingScope : public expression::Scope {
 public:
  explicit EscapingScope(const expression::Scope& outer) : outer_(outer) {}
  Result<std::optional<std::string>> find(std::string_view name) const override {
    KIST_TRY_ASSIGN(auto found, outer_.find(name));
    if (!found) return found;
    std::string quoted = to_text(Json(*found));
    return quoted.substr(1, quoted.size() - 2);
  }
  Result<std::optional<Json>> value(std::string_view name) const override { return outer_.value(name); }
  std::vector<std::string> names(std::string_view prefix) const override { return outer_.names(prefix); }
  const expression::Surroundings* surroundings() const override { return outer_.surroundings(); }

 private:
  const expression::Scope& outer_;
};

Status check_count(std::size_t count) {
  if (count <= kMostItems) return {};
  return fail(ErrorKind::invalid, fmt::format("a loop over {} items: {} are the most", count, kMostItems));
}

Result<Items> written(const std::vector<model::Text>& texts, const expression::Scope& scope) {
  Items items;
  EscapingScope escaping(scope);
  for (const model::Text& text : texts) {
    KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, escaping));
    auto item = parse_json(value);
    if (!item) return with_context(fmt::format("item {} of the loop", items.size()), item.error());
    items.push_back(std::make_shared<const Json>(std::move(*item)));
  }
  return items;
}

Result<Items> listed(const model::Text& text, const expression::Scope& scope) {
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(text, scope));
  auto list = parse_json(value);
  if (!list || !list->is_array())
    return fail(ErrorKind::invalid,
                fmt::format("withParam value could not be parsed as a JSON list: {}", value.substr(0, 200)));
  KIST_TRY(check_count(list->size()));
  Items items;
  for (Json& item : *list) items.push_back(std::make_shared<const Json>(std::move(item)));
  return items;
}

Result<std::optional<std::int64_t>> number(const std::optional<model::Text>& text, std::string_view what,
                                           const expression::Scope& scope) {
  if (!text) return std::nullopt;
  KIST_TRY_ASSIGN(std::string value, expression::evaluate(*text, scope));
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc() && end == value.data() + value.size()) return number;
  return fail(ErrorKind::invalid, fmt::format("{} of the sequence is not a whole number: '{}'", what, value));
}

Result<Items> counted(const model::Loop::Sequence& sequence, const expression::Scope& scope) {
  KIST_TRY_ASSIGN(auto count, number(sequence.count, "count", scope));
  KIST_TRY_ASSIGN(auto start, number(sequence.start, "start", scope));
  KIST_TRY_ASSIGN(auto end, number(sequence.end, "end", scope));
  if (!count && !end) return fail(ErrorKind::invalid, "must specify one of count or end in withSequence");
  std::string format;
  if (sequence.format) {
    KIST_TRY_ASSIGN(format, expression::evaluate(*sequence.format, scope));
  }
  const __int128 first = start.value_or(0);
  const __int128 step = end && *end < first ? -1 : 1;
  const __int128 items = end ? (*end - first) * step + 1 : *count;
  if (items <= 0) return Items();
  KIST_TRY(check_count(static_cast<std::size_t>(std::min<__int128>(items, SIZE_MAX))));
  Items list;
  for (__int128 i = 0; i < items; ++i) {
    auto value = static_cast<std::int64_t>(first + i * step);
    std::string text = fmt::format("{}", value);
    if (!format.empty()) {
      KIST_TRY_ASSIGN(text, expression::print_integer(format, value));
    }
    list.push_back(std::make_shared<const Json>(std::move(text)));
  }
  return list;
}

Result<std::string> all_results(std::span<const model::NodeRecord* const> members) {
  Json list = Json::array();
  for (const model::NodeRecord* member : members) {
    if (!member->result) continue;
    auto value = parse_json(*member->result);
    if (!value)
      return fail(ErrorKind::invalid,
                  fmt::format("the result of '{}' is not JSON, as the results of all items must be to make a list: "
                              "print numbers, or texts in quotes ({})",
                              member->names.display, value.error().text));
    list.push_back(std::move(*value));
  }
  return to_text(list);
}

std::string all_parameters(std::span<const model::NodeRecord* const> members) {
  Json list = Json::array();
  for (const model::NodeRecord* member : members) {
    if (member->output_parameters.empty()) continue;
    Json map = Json::object();
    for (const model::ParameterRecord& parameter : member->output_parameters) map[parameter.name] = parameter.value;
    list.push_back(std::move(map));
  }
  return to_text(list);
}

Result<std::string> one_parameter(std::string_view name, std::span<const model::NodeRecord* const> members) {
  Json texts = Json::array();
  Json values = Json::array();
  for (const model::NodeRecord* member : members) {
    auto found = std::ranges::find(member->output_parameters, name, &model::ParameterRecord::name);
    if (found == member->output_parameters.end()) continue;
    texts.push_back(found->value);
    if (values.size() + 1 != texts.size()) continue;  // one before was no list and no map
    if (auto value = parse_json(found->value); value && value->is_structured()) values.push_back(std::move(*value));
  }
  if (texts.empty() && !members.empty())
    return fail(ErrorKind::not_found, fmt::format("no item has an output parameter '{}'", name));
  return to_text(values.size() == texts.size() ? values : texts);
}

}  // namespace

Result<Items> expand(const model::Loop& loop, const expression::Scope& scope) {
  if (const auto* texts = std::get_if<std::vector<model::Text>>(&loop.items)) return written(*texts, scope);
  if (const auto* text = std::get_if<model::Text>(&loop.items)) return listed(*text, scope);
  return counted(std::get<model::Loop::Sequence>(loop.items), scope);
}

std::optional<std::string> find_in_item(std::string_view name, const Json& item) {
  if (name == "item") return expression::item_text(item);
  constexpr std::string_view kKey = "item.";
  if (!name.starts_with(kKey) || !item.is_object()) return std::nullopt;
  auto found = item.find(name.substr(kKey.size()));
  return found == item.end() ? std::nullopt : std::optional(expression::item_text(*found));
}

Result<std::string> aggregate(std::string_view field, std::span<const model::NodeRecord* const> members) {
  std::vector<const model::NodeRecord*> succeeded;
  std::ranges::copy_if(members, std::back_inserter(succeeded), [](const model::NodeRecord* member) {
    return member != nullptr && (member->state == model::State::succeeded || member->daemoned);
  });
  if (field == "outputs.result") return all_results(succeeded);
  if (field == "outputs.parameters") return all_parameters(succeeded);
  if (field.starts_with(kParameter)) return one_parameter(field.substr(kParameter.size()), succeeded);
  return fail(ErrorKind::not_found, fmt::format("a step that loops has no '{}'", field));
}

std::string entry_name(std::size_t index, std::size_t count, const Json* item) {
  const std::size_t width = fmt::format("{}", count == 0 ? 0 : count - 1).size();
  std::string name = fmt::format("{:0{}}", index, width);
  if (item == nullptr || !item->is_primitive()) return name;
  constexpr std::size_t kLongest = 64;
  std::string text = expression::item_text(*item).substr(0, kLongest);
  for (char& letter : text)
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '.' && letter != '_' && letter != '-')
      letter = '-';
  return text.empty() ? name : name + "_" + text;
}

}  // namespace kist::engine
