// The forms of an address. A node has a path of step names from the run's entry down: ["train", "fit"]. An artifact's
// forms are its name alone, then its name behind the last 1, 2, … step names: "model", "fit/model", "train/fit/model".
// Nodes that differ only in what is not in their step names (two stages with a step of one name) have their full node
// name as the longest form. The shortest form that leads to one artifact only is its address; every longer one is
// understood too.
//
// A form may begin another one ("a" and "a/b"): a path then leads to the longest form that it begins with, so an
// artifact keeps its short name only where no other artifact's name could be meant by a path inside it.
#include "model/address.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

namespace kist::model {
namespace {

struct Candidate {
  const NodeRecord* node;
  const ArtifactRecord* artifact;
  std::vector<std::string> forms;  // from the shortest to the longest
};

// Step names from the entry down to the node; nodes without a step name (the entry) add none.
std::vector<std::string> step_path(const NodeRecord& node,
                                   const std::unordered_map<std::string, const NodeRecord*>& nodes) {
  std::vector<std::string> path;
  for (const NodeRecord* at = &node; at != nullptr;) {
    if (!at->step.empty()) path.insert(path.begin(), at->step);
    auto parent = nodes.find(at->parent);
    at = parent == nodes.end() ? nullptr : parent->second;
  }
  return path;
}

std::vector<Candidate> candidates(const RunRecord& run) {
  std::unordered_map<std::string, const NodeRecord*> nodes;
  for (const NodeRecord& node : run.nodes) nodes.emplace(node.names.name, &node);

  std::vector<Candidate> all;
  for (const NodeRecord& node : run.nodes) {
    if (node.kind != NodeKind::task || node.output_artifacts.empty()) continue;
    std::vector<std::string> path = step_path(node, nodes);
    for (const ArtifactRecord& artifact : node.output_artifacts) {
      Candidate candidate{&node, &artifact, {artifact.name}};
      std::string prefix;
      for (auto step = path.rbegin(); step != path.rend(); ++step) {
        prefix = fmt::format("{}/{}", *step, prefix);
        candidate.forms.push_back(prefix + artifact.name);
      }
      candidate.forms.push_back(fmt::format("{}/{}", node.names.name, artifact.name));
      all.push_back(std::move(candidate));
    }
  }
  return all;
}

// Whether `form` is `path` or leads to something below it: "a/b" for "a/b/c".
bool begins(std::string_view form, std::string_view path) {
  return path.starts_with(form) && (path.size() == form.size() || path[form.size()] == '/');
}

std::string_view clean(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

std::vector<AddressedArtifact> addresses(const RunRecord& run) {
  std::vector<Candidate> all = candidates(run);
  std::unordered_map<std::string_view, int> uses;
  for (const Candidate& candidate : all)
    for (const std::string& form : candidate.forms) ++uses[form];

  std::vector<AddressedArtifact> result;
  result.reserve(all.size());
  for (Candidate& candidate : all) {
    auto chosen = std::ranges::find_if(candidate.forms, [&](const std::string& form) { return uses[form] == 1; });
    std::string& address = chosen == candidate.forms.end() ? candidate.forms.back() : *chosen;
    result.push_back({std::move(address), candidate.node, candidate.artifact});
  }
  return result;
}

Result<Resolved> resolve(const RunRecord& run, std::string_view path) {
  std::string_view wanted = clean(path);
  std::vector<AddressedArtifact> addressed = addresses(run);
  std::vector<Candidate> all = candidates(run);

  std::size_t longest = 0;
  std::vector<std::size_t> matches;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::string& form : all[i].forms) {
      if (!begins(form, wanted) || form.size() < longest) continue;
      if (form.size() > longest) matches.clear();
      longest = form.size();
      if (matches.empty() || matches.back() != i) matches.push_back(i);
    }
  }

  auto listed = [&](const std::vector<std::size_t>& which) {
    std::string text;
    for (std::size_t i : which) text += fmt::format("\n  {}", addressed[i].address);
    return text;
  };
  if (matches.empty()) {
    std::vector<std::size_t> everything(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) everything[i] = i;
    if (everything.empty()) return fail(ErrorKind::not_found, fmt::format("run '{}' has no artifacts", run.name));
    return fail(ErrorKind::not_found,
                fmt::format("run '{}' has no artifact '{}'. It has:{}", run.name, path, listed(everything)));
  }
  if (matches.size() > 1)
    return fail(ErrorKind::invalid, fmt::format("'{}' is the name of several artifacts of run '{}'. Say which one:{}",
                                                path, run.name, listed(matches)));
  std::string_view inside = wanted.substr(std::min(wanted.size(), longest + 1));
  return Resolved{addressed[matches.front()], std::string(inside)};
}

}  // namespace kist::model
