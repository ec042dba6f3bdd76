#include "dialect/argo/merge.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace kist::dialect::argo {
namespace {

// Lists whose items are merged by a key of theirs; all others are replaced as a whole.
struct MergeKey {
  std::string_view list;
  std::string_view key;
};
constexpr auto kMergeKeys = std::to_array<MergeKey>({
    {"templates", "name"},
    {"parameters", "name"},
    {"artifacts", "name"},
    {"volumes", "name"},
    {"containers", "name"},
    {"initContainers", "name"},
    {"sidecars", "name"},
    {"env", "name"},
    {"volumeMounts", "mountPath"},
    {"imagePullSecrets", "name"},
    {"hostAliases", "ip"},
    {"ports", "containerPort"},
});

std::string_view text_of(const yaml::Node& item, std::string_view key) {
  const yaml::Node* value = item.is_mapping() ? item.find(key) : nullptr;
  return value != nullptr && value->is_scalar() ? std::string_view(value->text) : std::string_view();
}

yaml::Node merge_list(const yaml::Node& base, const yaml::Node& over, std::string_view key) {
  yaml::Node merged = over;
  for (const yaml::Node& item : base.items) {
    const std::string_view name = text_of(item, key);
    auto found = std::ranges::find_if(merged.items, [&](const yaml::Node& each) { return text_of(each, key) == name; });
    if (found == merged.items.end())
      merged.items.push_back(item);
    else
      *found = merge(item, *found);
  }
  return merged;
}

}  // namespace

yaml::Node merge(const yaml::Node& base, const yaml::Node& over) {
  if (!base.is_mapping() || !over.is_mapping()) return over;
  yaml::Node merged = over;
  for (const auto& [key, value] : base.entries) {
    auto found = std::ranges::find_if(merged.entries, [&](const auto& entry) { return entry.first.text == key.text; });
    if (found == merged.entries.end()) {
      merged.entries.emplace_back(key, value);
      continue;
    }
    if (found->second.is_mapping()) {
      found->second = merge(value, found->second);
    } else if (found->second.is_sequence() && value.is_sequence()) {
      const auto rule = std::ranges::find(kMergeKeys, std::string_view(key.text), &MergeKey::list);
      if (rule != kMergeKeys.end()) found->second = merge_list(value, found->second, rule->key);
    }
  }
  return merged;
}

yaml::Node merge_defaults(const yaml::Node& defaults, const yaml::Node& definition) {
  if (!defaults.is_mapping() || !definition.is_mapping()) return definition;
  yaml::Node fitting = defaults;
  constexpr auto kKinds = std::to_array<std::string_view>(
      {"container", "script", "steps", "dag", "containerSet", "suspend", "data", "http", "resource", "plugin"});
  // Of what runs no process itself Argo looks at none of these.
  constexpr auto kOfLeaves = std::to_array<std::string_view>({"activeDeadlineSeconds", "timeout", "pendingTimeout"});
  const bool is_group = definition.find("steps") != nullptr || definition.find("dag") != nullptr;
  std::erase_if(fitting.entries, [&](const auto& entry) {
    if (entry.first.text == "name") return true;
    if (is_group && std::ranges::count(kOfLeaves, std::string_view(entry.first.text)) > 0) return true;
    return std::ranges::count(kKinds, std::string_view(entry.first.text)) > 0 &&
           definition.find(entry.first.text) == nullptr;
  });
  return merge(fitting, definition);
}

}  // namespace kist::dialect::argo
