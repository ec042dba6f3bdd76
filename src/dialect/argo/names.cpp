#include "dialect/argo/names.hpp"

#include <fmt/format.h>

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

model::NodeNames node_names(const model::NodePlace& place) {
  model::NodeNames names;
  if (place.parent == nullptr) {
    names.name = names.display = place.run;
  } else {
    names.display = place.step;
    names.name = place.group == model::Group::Kind::sequence
                     ? fmt::format("{}[{}].{}", place.parent->name, place.stage, place.step)
                     : fmt::format("{}.{}", place.parent->name, place.step);
  }
  names.id = node_id(place.run, names.name);
  names.host = pod_name(place.run, names.name, place.definition);
  return names;
}

}  // namespace kist::dialect::argo
