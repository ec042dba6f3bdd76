#include "cli/lineage.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/context.hpp"
#include "cli/subject.hpp"
#include "engine/scope.hpp"

namespace kist::cli {

namespace {

const model::NodeRecord* find_node(const model::RunRecord& run, std::string_view name) {
  const auto found =
      std::ranges::find_if(run.nodes, [&](const model::NodeRecord& node) { return node.names.name == name; });
  return found == run.nodes.end() ? nullptr : &*found;
}

bool made(const model::NodeRecord& node, const Digest& tree) {
  return std::ranges::find(node.output_artifacts, tree, &model::ArtifactRecord::tree) != node.output_artifacts.end();
}

// Records from before producers were written down: the task of the run whose output holds the same.
const model::NodeRecord* find_maker(const model::RunRecord& run, const model::NodeRecord& user, const Digest& tree) {
  for (const model::NodeRecord& node : run.nodes)
    if (&node != &user && node.kind == model::NodeKind::task && made(node, tree)) return &node;
  return nullptr;
}

void put_text(Json& value, const char* key, const std::string& text) {
  if (!text.empty()) value[key] = text;
}

}  // namespace

Lineage::Known& Lineage::know(model::RunRecord run) {
  auto& known = known_[run.name];
  if (!known) {
    known = std::make_unique<Known>();
    known->run = std::move(run);
    if (const auto dialect = engine::find_dialect(dialects(), known->run.dialect)) {
      if (auto lowered = (*dialect)->lower(known->run.request)) known->workflow = std::move(lowered->workflow);
    }
  }
  return *known;
}

// The run of a name may be gone, with only tags that know it, or be another one that got the name: it must have made
// what is asked about.
Lineage::Known* Lineage::find_run(const std::string& name, const std::string& node,
                                  const model::ArtifactRecord& artifact) {
  const auto fits = [&](const model::RunRecord& run) {
    const model::NodeRecord* its = find_node(run, node);
    return its != nullptr && made(*its, artifact.tree);
  };
  if (const auto found = known_.find(name); found != known_.end())
    return fits(found->second->run) ? found->second.get() : nullptr;
  auto catalog = house_.catalog();
  if (!catalog) return nullptr;
  if ((*catalog)->summary(name)) {
    if (auto run = find_record(house_, name); run && fits(*run)) return &know(std::move(*run));
  }
  const auto tags = (*catalog)->tags();
  if (!tags) return nullptr;
  for (const catalog::Tag& tag : *tags) {
    if (tag.run != name) continue;
    if (auto run = find_record(house_, ":" + tag.name); run && fits(*run)) return &know(std::move(*run));
  }
  return nullptr;
}

Result<Json> Lineage::of(const model::RunRecord& run, const model::Resolved& found) {
  constexpr std::string_view kTypes[] = {"file", "directory", "link"};
  const model::ArtifactRecord& artifact = *found.artifact.artifact;
  KIST_TRY_ASSIGN(store::Store * store, house_.store());
  auto entry = store->find({artifact.tree, artifact.times}, found.inside);
  if (!entry && entry.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, fmt::format("there is no '{}' in the artifact {} of {}", found.inside,
                                                  found.artifact.address, run.name));
  if (!entry) return std::unexpected(std::move(entry).error());

  const std::string& address = found.artifact.address;
  Json story{{"name", found.inside.empty() ? address : fmt::format("{}/{}", address, found.inside)},
             {"run", run.name},
             {"artifact", address},
             {"type", kTypes[static_cast<int>(entry->type)]}};
  if (entry->type == store::EntryType::file) story["size"] = entry->size;
  if (entry->file) story["digest"] = entry->file->to_string();
  if (entry->type == store::EntryType::link) story["target"] = entry->link_target;
  story["tree"] = artifact.tree.to_string();
  const std::string node = found.artifact.node->names.name;
  Known& known = know(run);
  KIST_TRY_ASSIGN(story["made_by"], step(known, *find_node(known.run, node), *entry, found.inside));
  return story;
}

Result<Json> Lineage::step(Known& known, const model::NodeRecord& node, const std::optional<store::Entry>& entry,
                           const std::string& inside) {
  const model::RunRecord& run = known.run;
  Json told{{"name", node.names.name}, {"status", model::to_string(node.state)}, {"run", run.name}};
  put_text(told, "display", node.names.display);
  if (!told_.emplace(run.name, node.names.name).second) {
    told["told"] = true;
    return told;
  }
  put_text(told, "workflow", run.workflow);
  told["dialect"] = run.dialect;
  put_text(told, "definition", node.definition);
  if (known.workflow) {
    const auto definition = known.workflow->definitions.find(node.definition);
    if (definition != known.workflow->definitions.end() && !definition->second.origin.file.empty())
      told["written_at"] = model::to_string(definition->second.origin);
  }
  told["started"] = json_time(node.started);
  told["finished"] = json_time(node.finished);
  if (node.attempt > 1) told["attempt"] = node.attempt;
  if (Json list = commands(known, node); !list.empty()) told["commands"] = std::move(list);
  if (!node.input_parameters.empty()) {
    Json& parameters = told["parameters"] = Json::array();
    for (const model::ParameterRecord& parameter : node.input_parameters)
      parameters.push_back({{"name", parameter.name}, {"value", model::shown_value(parameter)}});
  }
  told["project"] = project(known);
  Json inputs = Json::array();
  for (const model::ArtifactRecord& artifact : node.input_artifacts) {
    KIST_TRY_ASSIGN(Json one, input(known, node, artifact, entry, inside));
    inputs.push_back(std::move(one));
  }
  for (const model::InputSource& source : node.input_sources) {
    const bool text = source.kind == model::InputSource::Kind::text;
    Json one{{"name", source.name.empty() ? source.path : source.name}, {"kind", text ? "text" : "project"}};
    put_text(one, "path", source.path);
    if (text) {
      one["text"] = source.text;
      one["bytes"] = source.bytes;
    }
    inputs.push_back(std::move(one));
  }
  told["inputs"] = std::move(inputs);
  return told;
}

Result<Json> Lineage::input(Known& known, const model::NodeRecord& node, const model::ArtifactRecord& artifact,
                            const std::optional<store::Entry>& entry, const std::string& inside) {
  Json told{{"name", artifact.name}, {"kind", "artifact"}};
  put_text(told, "path", artifact.path);
  told["tree"] = artifact.tree.to_string();
  told["bytes"] = artifact.bytes;
  told["files"] = artifact.files;
  std::optional<store::Entry> below;
  if (entry && entry->file) {
    KIST_TRY_ASSIGN(store::Store * store, house_.store());
    auto same = store->find({artifact.tree, artifact.times}, inside);
    if (same && same->file == entry->file) {
      told["unchanged"] = true;  // what is asked about was in it already
      below = *same;
    }
  }
  Known* owner = &known;
  const model::NodeRecord* maker = nullptr;
  if (!artifact.producer) {
    maker = find_maker(known.run, node, artifact.tree);
  } else if (artifact.producer->run.empty()) {
    maker = find_node(known.run, artifact.producer->node);
  } else {
    const std::string& run = artifact.producer->run;
    told["run"] = run;
    const auto used = std::ranges::find(known.run.used_runs, run, &model::UsedRun::run);
    if (used != known.run.used_runs.end())
      told[used->by == model::RunArtifacts::By::tag ? "by_tag" : "by_workflow"] = used->name;
    owner = find_run(run, artifact.producer->node, artifact);
    if (owner != nullptr) maker = find_node(owner->run, artifact.producer->node);
  }
  if (maker == nullptr) {
    if (artifact.producer) told["lost"] = artifact.producer->node;  // who made it, by name only
    return told;
  }
  KIST_TRY_ASSIGN(told["made_by"], step(*owner, *maker, below, inside));
  return told;
}

Json Lineage::commands(Known& known, const model::NodeRecord& node) {
  Json list = Json::array();
  if (!known.workflow) return list;
  const auto definition = known.workflow->definitions.find(node.definition);
  if (definition == known.workflow->definitions.end()) return list;
  const auto* task = std::get_if<model::Task>(&definition->second.body);
  if (task == nullptr) return list;

  engine::RunScope run_scope(known.run, *known.workflow);
  const auto given = run_scope.set_parameters(*known.workflow);
  model::NodeRecord record = node;
  engine::Node its(record, engine::Node::Role::step);
  its.definition = &definition->second;
  const auto filled = [&](const model::Text& text) {
    if (given) {
      if (auto value = expression::evaluate(text, engine::NodeScope(run_scope, its))) return *value;
    }
    return text.source();  // as it is written
  };
  for (const model::Action& action : task->actions) {
    const auto* run = std::get_if<model::Run>(&action.what);
    if (run == nullptr) continue;
    Json one = Json::object();
    put_text(one, "title", action.title);
    if (!run->command.empty()) {
      Json& words = one["command"] = Json::array();
      for (const model::Text& word : run->command) words.push_back(filled(word));
    }
    if (run->script) one["script"] = filled(*run->script);
    if (!action.origin.file.empty()) one["written_at"] = model::to_string(action.origin);
    list.push_back(std::move(one));
  }
  return list;
}

Json Lineage::project(const Known& known) const {
  const model::RunRequest& request = known.run.request;
  Json value = Json::object();
  put_text(value, "path", known.run.project);
  if (request.revision) {
    value["commit"] = request.revision->commit;
    put_text(value, "branch", request.revision->branch);
    if (request.revision->modified) value["modified"] = true;
  }
  Json& files = value["files"] = Json::array();
  for (const model::SourceText& file : request.files) files.push_back(file.name);
  return value;
}

}  // namespace kist::cli
