#include "engine/sent.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engine/repository.hpp"

namespace kist::engine {
namespace {

using Collect = model::Save::Collect;

std::string top_name(const model::ArtifactRecord& artifact) {
  std::string top = std::filesystem::path(artifact.path).lexically_normal().filename();
  return top.empty() || top == "." || top == "/" ? artifact.name : top;
}

Status delete_key(const Parts& parts, const model::ArtifactRecord& artifact, const model::Location& from) {
  const model::Text* key = from.text("key");
  // What somebody else has put there since is theirs.
  auto removed = parts.catalog.remove_key(key_of(key == nullptr ? "" : key->source()), artifact.tree);
  return removed || removed.error().kind == ErrorKind::not_found ? Status() : removed;
}

Status delete_sent(const Parts& parts, const location::Context& context, const model::ArtifactRecord& artifact,
                   const model::Location& from) {
  if (from.kind == "key") return delete_key(parts, artifact, from);
  return location::remove(
      from, artifact.archive,
      {.store = parts.store, .id = {.tree = artifact.tree, .times = artifact.times}, .name = top_name(artifact)},
      context);
}

bool is_wanted(const model::SentArtifact& sent, bool removing) {
  if (sent.deleted) return false;
  return sent.collect == Collect::at_completion || (removing && sent.collect == Collect::at_deletion);
}

// Whether anything of a node is to be deleted.
bool has_wanted(const model::NodeRecord& node, bool removing) {
  return std::ranges::any_of(node.output_artifacts, [&](const model::ArtifactRecord& artifact) {
    return std::ranges::any_of(artifact.sent, [&](const auto& sent) { return is_wanted(sent, removing); });
  });
}

struct Collected {
  bool changed = false;
  bool must_stay = false;  // something that is not there to stay could not be deleted
};

// `notice` hears of what could not be deleted.
Collected collect(const Parts& parts, model::NodeRecord& node, bool removing,
                  const std::function<void(const std::string&)>& notice) {
  location::Context context;
  if (parts.outside) context = parts.outside();
  Collected collected;
  for (model::ArtifactRecord& artifact : node.output_artifacts) {
    if (artifact.producer) continue;  // a group hands it on: it is the task's
    for (model::SentArtifact& sent : artifact.sent) {
      if (!is_wanted(sent, removing)) continue;
      if (auto removed = delete_sent(parts, context, artifact, sent.to); removed) {
        collected.changed = sent.deleted = true;
      } else {
        collected.must_stay = collected.must_stay || !sent.may_stay;
        if (notice)
          notice(fmt::format("artifact '{}' of {} could not be deleted from {}: {}", artifact.name, node.names.display,
                             model::to_string(sent.to), removed.error().text));
      }
    }
  }
  return collected;
}

}  // namespace

std::vector<Sending> sendings_of(const model::Task& bound, bool may_stay) {
  std::vector<Sending> sendings;
  auto add = [&](const std::string& name, const model::Location& to, Collect collect) {
    sendings.push_back(
        {.artifact = name, .to = {.to = to, .collect = collect, .may_stay = may_stay, .deleted = false}});
  };
  for (const model::Action& action : bound.actions)
    if (const auto* save = std::get_if<model::Save>(&action.what); save != nullptr && save->to)
      add(save->name, *save->to, save->collect);
  if (bound.log_artifact && bound.log_artifact->to)
    add(bound.log_artifact->name, *bound.log_artifact->to, Collect::never);
  return sendings;
}

Status check_place(const Sending& sending, const task::Mask& secrets) {
  for (const model::LocationField& field : sending.to.to.fields) {
    const auto* text = std::get_if<model::Text>(&field.value);
    if (text != nullptr && !secrets.found_in(text->source()).empty())
      return fail(
          ErrorKind::invalid,
          fmt::format("the {} of the artifact '{}' contains the value of a secret, and where an artifact lies is "
                      "shown in listings: make it of something else",
                      field.name, sending.artifact));
  }
  return {};
}

void note_sent(const std::vector<Sending>& sendings, model::NodeRecord& node) {
  for (model::ArtifactRecord& artifact : node.output_artifacts) {
    artifact.sent.clear();
    for (const Sending& sending : sendings)
      if (sending.artifact == artifact.name) artifact.sent.push_back(sending.to);
  }
}

Status put_under_keys(const Parts& parts, const std::string& run, const model::NodeRecord& node,
                      const std::function<void(const std::string&)>& notice) {
  for (const model::ArtifactRecord& artifact : node.output_artifacts) {
    if (artifact.producer) continue;
    for (const model::SentArtifact& sent : artifact.sent) {
      if (sent.to.kind != "key") continue;
      const model::Text* text = sent.to.text("key");
      catalog::Key key{.key = key_of(text == nullptr ? "" : text->source()),
                       .artifact = artifact,
                       .run = run,
                       .created = parts.clock()};
      key.artifact.sent.clear();
      key.artifact.producer = model::Producer{.run = run, .node = node.names.name, .artifact = artifact.name};
      auto before = parts.catalog.key(key.key);
      if (!before && before.error().kind != ErrorKind::not_found) return std::unexpected(before.error());
      if (before && before->run == run && before->artifact.tree != artifact.tree && notice) {
        const auto& by = before->artifact.producer;
        notice(fmt::format("{} replaces what {} had put under the key '{}': give each a key of its own",
                           node.names.display, by ? by->node : std::string("another step"), key.key));
      }
      KIST_TRY(parts.catalog.set_key(key));
    }
  }
  return {};
}

void collect_at_completion(const Parts& parts, model::RunRecord& run, Committer& committer,
                           const std::function<void(const std::string&)>& notice) {
  for (model::NodeRecord& node : run.nodes)
    if (has_wanted(node, false) && collect(parts, node, false, notice).changed) committer.node(node);
}

Status collect_before_removal(const Parts& parts, std::string_view name, bool force,
                              const std::function<void(const std::string&)>& notice) {
  KIST_TRY_ASSIGN(model::RunRecord run, parts.catalog.run(name));
  catalog::Changes changes;
  changes.run = name;
  bool must_stay = false;
  for (model::NodeRecord& node : run.nodes) {
    if (!has_wanted(node, true)) continue;
    const Collected collected = collect(parts, node, true, notice);
    must_stay = must_stay || collected.must_stay;
    if (collected.changed) changes.nodes.push_back(node);
  }
  if (!must_stay || force) return {};
  if (!changes.nodes.empty()) KIST_TRY(parts.catalog.apply(std::span(&changes, 1)));
  return fail(
      ErrorKind::unavailable,
      fmt::format("{} stays, since not all that it sent could be deleted: try again, or remove it with --force", name));
}

}  // namespace kist::engine
