#include "dialect/argo/names.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "expression/item.hpp"

namespace kist::dialect::argo {
namespace {

// Kubernetes' limit of 253 characters without '-' and the ten digits of a hash.
constexpr std::size_t kPodPrefixLimit = 242;

}  // namespace

std::string object_name(std::string_view text) {
  std::string name;
  for (char letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (plain || (!name.empty() && (letter == '-' || letter == '.')))
      name += letter;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  return name.empty() ? "workflow" : name;
}

std::uint32_t fnv1a(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  return hash;
}

std::string node_id(std::string_view workflow, std::string_view node) {
  if (workflow == node) return std::string(workflow);
  return fmt::format("{}-{}", workflow, fnv1a(node));
}

std::string pod_name(std::string_view workflow, std::string_view node, std::string_view definition) {
  if (workflow == node) return std::string(workflow);
  std::string prefix(workflow);
  if (!definition.empty()) prefix += fmt::format("-{}", definition);
  return fmt::format("{}-{}", prefix.substr(0, kPodPrefixLimit), fnv1a(node));
}

namespace {

// What comes behind the name of the node it belongs to.
std::string suffix(const model::NodePlace& place) {
  switch (place.kind) {
    case model::NodePlace::Kind::item:
      return fmt::format("({}:{})", place.index, place.item == nullptr ? "" : expression::item_name(*place.item));
    case model::NodePlace::Kind::attempt:
      return fmt::format("({})", place.index);
    case model::NodePlace::Kind::hook:
      return place.step == "exit" ? ".onExit" : ".hooks." + place.step;
    case model::NodePlace::Kind::container:
    case model::NodePlace::Kind::step:
      break;
  }
  return "." + place.step;
}

}  // namespace

model::NodeNames node_names(const model::NodePlace& place) {
  using Kind = model::NodePlace::Kind;
  model::NodeNames names;
  const std::string& parent = place.parent == nullptr ? place.run : place.parent->name;
  const std::string& display = place.parent == nullptr ? place.run : place.parent->display;
  if (place.kind == Kind::step && place.parent == nullptr) {
    names.name = names.display = place.run;
  } else if (place.kind == Kind::step) {
    names.display = place.step;
    names.name = place.group == model::Group::Kind::sequence ? fmt::format("{}[{}].{}", parent, place.stage, place.step)
                                                             : fmt::format("{}.{}", parent, place.step);
  } else {
    names.name = parent + suffix(place);
    names.display = place.kind == Kind::container ? place.step : display + suffix(place);
  }
  names.id = node_id(place.run, names.name);
  // The containers of a pod have no pod of their own.
  if (place.kind == Kind::container && place.parent != nullptr)
    names.host = place.parent->host;
  else
    names.host = pod_name(place.run, names.name, place.label);
  return names;
}

}  // namespace kist::dialect::argo
