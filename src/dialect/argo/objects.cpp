// kubectl's verbs on what a home keeps: a Workflow is a run, a Secret one of the home's secrets, a claim a directory,
// and all other kinds are documents, kept as `kist apply` keeps them. Namespaces have no meaning here.
#include "dialect/argo/objects.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"
#include "dialect/argo/object_kinds.hpp"
#include "dialect/argo/run_object.hpp"

namespace kist::dialect::argo {
namespace {

using Sort = ObjectKind::Sort;
using model::Objects;

// What a manifest or the flags name.
struct Target {
  const ObjectKind* kind = nullptr;
  std::string name;
};

std::string text_in(const Json& object, const char* outer, const char* inner = nullptr) {
  if (!object.is_object()) return "";
  const auto found = object.find(outer);
  if (found == object.end()) return "";
  if (inner != nullptr) return text_in(*found, inner);
  return found->is_string() ? found->get<std::string>() : "";
}

std::unexpected<Error> no_object(const Target& target) {
  return fail(ErrorKind::not_found, fmt::format("{} \"{}\" not found", target.kind->plural, target.name));
}

std::string shown(const Target& target) {
  return fmt::format("{}/{}", target.kind->name, target.name);
}

class Verbs {
 public:
  Verbs(const model::ObjectRequest& request, Objects& objects)
      : request_(request), objects_(objects), action_(request.action.source()) {}

  Result<std::string> act() {
    KIST_TRY(read_manifest());
    KIST_TRY_ASSIGN(words_, read_words(request_.flags));
    KIST_TRY_ASSIGN(Json result, perform());
    return to_text(result);
  }

 private:
  Result<Json> perform() {
    const bool looks = action_ == "get" || action_ == "delete";
    if (manifest_.is_null() && !looks) return fail(ErrorKind::invalid, fmt::format("{} needs a manifest", action_));
    if (action_ == "create") return create();
    if (action_ == "apply") return apply();
    if (action_ == "replace") return replace();
    if (action_ == "patch") return patch();
    if (looks) return each();
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no action: get, create, apply, delete, replace and patch are", action_));
  }

  Status read_manifest() {
    const std::string text = request_.manifest.source();
    KIST_TRY_ASSIGN(auto roots, yaml::parse(text, "manifest", {.duplicate_keys = true}));
    std::erase_if(roots, [](const yaml::Node& root) { return root.is_null(); });
    if (roots.size() > 1)
      return fail(ErrorKind::unsupported, "not supported yet: a manifest of several documents; write a step for each");
    if (roots.empty()) return {};
    manifest_ = yaml::to_json(roots.front());
    const bool is_list_of_changes = action_ == "patch" && request_.merge_strategy == "json";
    return is_list_of_changes ? Status() : check_shape();
  }

  Status check_shape() const {
    if (!manifest_.is_object())
      return fail(ErrorKind::invalid, "the manifest is to be a mapping (apiVersion, kind, metadata, …)");
    const auto metadata = manifest_.find("metadata");
    if (metadata == manifest_.end() || metadata->is_null()) return {};
    if (!metadata->is_object()) return fail(ErrorKind::invalid, "the manifest: metadata is to be a mapping");
    for (const char* key : {"labels", "annotations"})
      if (const auto marks = metadata->find(key); marks != metadata->end() && !marks->is_null() && !marks->is_object())
        return fail(ErrorKind::invalid, fmt::format("the manifest: metadata.{} is to be a mapping", key));
    return {};
  }

  // ---- which

  Result<Target> target() const {
    Target one;
    if (manifest_.is_object() && manifest_.contains("kind")) {
      KIST_TRY_ASSIGN(one.kind, find_kind(text_in(manifest_, "kind"), text_in(manifest_, "apiVersion")));
      one.name = text_in(manifest_, "metadata", "name");
    }
    if (one.kind == nullptr) one.kind = words_.kind;
    if (one.name.empty() && words_.names.size() == 1) one.name = words_.names.front();
    if (one.kind == nullptr) return fail(ErrorKind::invalid, "the manifest has no kind");
    return one;
  }

  Result<Target> named() const {
    KIST_TRY_ASSIGN(Target one, target());
    if (one.name.empty()) return fail(ErrorKind::invalid, fmt::format("to {} it, its name is needed", action_));
    return one;
  }

  // ---- what is kept

  Result<Json> load(const Target& one) const {
    if (one.kind->sort == Sort::run) {
      auto run = objects_.run(one.name);
      if (!run && run.error().kind == ErrorKind::not_found) return no_object(one);
      if (!run) return std::unexpected(run.error());
      return run_object(*run);
    }
    if (one.kind->sort == Sort::secret) {
      auto values = objects_.secret(one.name);
      if (!values && values.error().kind == ErrorKind::not_found) return no_object(one);
      if (!values) return std::unexpected(values.error());
      Json data = Json::object();
      for (const auto& [key, value] : *values) data[key] = to_base64(value);
      return Json{{"apiVersion", "v1"},
                  {"kind", "Secret"},
                  {"metadata", {{"name", one.name}}},
                  {"type", "Opaque"},
                  {"data", std::move(data)}};
    }
    const auto document = objects_.document(one.kind->name, one.name);
    if (!document && document.error().kind == ErrorKind::not_found) return no_object(one);
    if (!document) return std::unexpected(document.error());
    KIST_TRY_ASSIGN(const auto roots, yaml::parse(document->text, shown(one), {.duplicate_keys = true}));
    for (const yaml::Node& root : roots)
      if (root.is_mapping()) return yaml::to_json(root);
    return no_object(one);
  }

  // Whether something of its name stands in the way of making it: what only the run's own files say does not.
  Result<bool> is_kept(const Target& one) const {
    if (one.kind->sort == Sort::document || one.kind->sort == Sort::claim) {
      const auto document = objects_.document(one.kind->name, one.name);
      if (!document && document.error().kind != ErrorKind::not_found) return std::unexpected(document.error());
      return document && document->kept;
    }
    auto found = load(one);
    if (!found && found.error().kind != ErrorKind::not_found) return std::unexpected(found.error());
    return found.has_value();
  }

  Status save(const Target& one, const Json& object) const {
    if (one.kind->sort != Sort::secret)
      return objects_.put_document({std::string(one.kind->name), one.name, to_pretty_text(object)});
    Objects::Values values;
    for (const bool coded : {true, false}) {
      const auto map = object.find(coded ? "data" : "stringData");
      if (map == object.end() || !map->is_object()) continue;
      for (const auto& [key, value] : map->items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
        auto plain = coded ? from_base64(text) : Result<std::string>(text);
        if (!plain)
          return fail(ErrorKind::invalid,
                      fmt::format("{}: data.{} is no base64; plain texts stand below stringData", shown(one), key));
        values[key] = std::move(*plain);
      }
    }
    return objects_.put_secret(one.name, values);
  }

  Status own(const Target& one, bool made) const {
    if (!request_.owned) return {};
    switch (one.kind->sort) {
      case Sort::run:
        return objects_.own("run", one.name, made);
      case Sort::secret:
        return objects_.own("secret", one.name, made);
      case Sort::claim:
        KIST_TRY(objects_.own("claim", one.name, made));
        break;
      case Sort::document:
        break;
    }
    return objects_.own(one.kind->name, one.name, made);
  }

  void say(const Target& one, std::string_view what) const { objects_.say(fmt::format("{} {}", shown(one), what)); }

  // ---- the verbs

  Result<Json> create() const {
    KIST_TRY_ASSIGN(Target one, target());
    if (one.kind->sort == Sort::run) return start(one);
    Json object = manifest_;
    if (one.name.empty()) {
      const std::string stem = text_in(manifest_, "metadata", "generateName");
      if (stem.empty()) return fail(ErrorKind::invalid, "metadata.name or metadata.generateName is required");
      one.name = stem + objects_.random_suffix();
      object["metadata"]["name"] = one.name;
    }
    KIST_TRY_ASSIGN(const bool kept, is_kept(one));
    if (kept) return fail(ErrorKind::conflict, fmt::format("{} \"{}\" already exists", one.kind->plural, one.name));
    object["metadata"]["uid"] = make_uid(one);
    return keep(one, std::move(object), "created", true);
  }

  // Of what is no run.
  Result<Json> keep(const Target& one, Json object, std::string_view done, bool made) const {
    KIST_TRY(save(one, object));
    KIST_TRY(own(one, made));
    say(one, done);
    return object;
  }

  Result<Json> start(Target one) const {
    KIST_TRY_ASSIGN(one.name, objects_.start_run(request_.manifest.source()));
    KIST_TRY(own(one, true));
    say(one, fmt::format("created: `kist show {}`", one.name));
    return load(one);
  }

  Result<Json> apply() const {
    KIST_TRY_ASSIGN(const Target one, named());
    KIST_TRY_ASSIGN(const bool kept, is_kept(one));
    if (!kept) return create();
    KIST_TRY_ASSIGN(const Json before, load(one));
    if (one.kind->sort != Sort::run) return change(one, before, merged(before, manifest_));
    // What is written of a workflow that was submitted already counts no more; labels do.
    Json after = before;
    for (const char* key : {"labels", "annotations"})
      if (const auto metadata = manifest_.find("metadata"); metadata != manifest_.end() && metadata->contains(key))
        if (const Json& marks = (*metadata)[key]; marks.is_object()) after["metadata"][key].update(marks);
    return change(one, before, std::move(after));
  }

  Result<Json> replace() const {
    KIST_TRY_ASSIGN(const Target one, named());
    KIST_TRY_ASSIGN(const Json before, load(one));
    Json after = manifest_;
    if (const std::string uid = text_in(before, "metadata", "uid"); !uid.empty()) after["metadata"]["uid"] = uid;
    if (one.kind->sort == Sort::run) {
      // Kubernetes gives these; who replaces an object need not repeat them.
      for (const char* key : {"namespace", "creationTimestamp", "generateName"})
        if (before["metadata"].contains(key)) after["metadata"][key] = before["metadata"][key];
    }
    return change(one, before, std::move(after));
  }

  Result<Json> patch() const {
    KIST_TRY_ASSIGN(const Target one, named());
    KIST_TRY_ASSIGN(const Json before, load(one));
    if (request_.merge_strategy != "json") return change(one, before, merged(before, manifest_));
    if (!manifest_.is_array())
      return fail(ErrorKind::invalid, "mergeStrategy json: the manifest is to be a list of changes (op, path, value)");
    try {
      return change(one, before, before.patch(manifest_));
    } catch (const Json::exception& error) {
      return fail(ErrorKind::invalid, fmt::format("the changes cannot be made to {}: {}", shown(one), error.what()));
    }
  }

  // RFC 7396. Kubernetes' own merge differs from it in lists of named things, which none of these kinds has where it
  // can be changed.
  static Json merged(Json before, const Json& changes) {
    before.merge_patch(changes);
    return before;
  }

  Result<Json> change(const Target& one, const Json& before, Json after) const {
    if (text_in(after, "metadata", "name") != one.name)
      return fail(ErrorKind::invalid, fmt::format("{} cannot get another name", shown(one)));
    const bool same = before == after;
    if (one.kind->sort != Sort::run) return keep(one, std::move(after), same ? "unchanged" : "configured", false);
    KIST_TRY(change_run(before, after, objects_));
    say(one, "configured");
    return load(one);
  }

  // get and delete: of one, of several by name, or of all that a selector means.
  Result<Json> each() const {
    if (!words_.selector && !words_.all && words_.names.size() <= 1) {
      KIST_TRY_ASSIGN(const Target one, named());
      return get_or_remove(one, load(one));
    }
    const ObjectKind* kind = words_.kind;
    if (kind == nullptr) {
      KIST_TRY_ASSIGN(const Target one, target());
      kind = one.kind;
    }
    std::vector<std::string> names = words_.names;
    if (names.empty()) {
      KIST_TRY_ASSIGN(names, names_of(*kind));
    }
    Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array()}};
    for (const std::string& name : names) {
      const Target one{kind, name};
      auto object = load(one);
      const bool is_gone = !object && object.error().kind == ErrorKind::not_found;
      if (is_gone && words_.names.empty()) continue;  // since its kind was listed
      if (words_.selector && object && !is_selected(*object)) continue;
      KIST_TRY_ASSIGN(Json found, get_or_remove(one, std::move(object)));
      list["items"].push_back(std::move(found));
    }
    return list;
  }

  bool is_selected(const Json& object) const {
    return expression::all_hold(*words_.selector, [&](std::string_view key) -> std::optional<std::string> {
      const auto metadata = object.find("metadata");
      if (metadata == object.end() || !metadata->contains("labels")) return std::nullopt;
      const Json& labels = (*metadata)["labels"];
      const auto found = labels.is_object() ? labels.find(std::string(key)) : labels.end();
      if (found == labels.end()) return std::nullopt;
      return found->is_string() ? found->get<std::string>() : to_text(*found);
    });
  }

  Result<std::vector<std::string>> names_of(const ObjectKind& kind) const {
    if (kind.sort == Sort::run) return objects_.runs();
    if (kind.sort == Sort::secret) return objects_.secrets();
    return objects_.documents(kind.name, action_ != "get");
  }

  // `object`: what load() said of it.
  Result<Json> get_or_remove(const Target& one, Result<Json> object) const {
    if (!object && object.error().kind == ErrorKind::not_found && words_.ignore_missing) return Json(nullptr);
    if (!object || action_ == "get") return object;
    KIST_TRY(remove(one));
    say(one, "deleted");
    return object;
  }

  Status remove(const Target& one) const {
    switch (one.kind->sort) {
      case Sort::run:
        return objects_.remove_run(one.name);
      case Sort::secret:
        return objects_.remove_secret(one.name);
      case Sort::claim:
        KIST_TRY(objects_.remove_claim(one.name));
        break;
      case Sort::document:
        break;
    }
    return objects_.remove_document(one.kind->name, one.name);
  }

  // As an API server gives every object one.
  std::string make_uid(const Target& one) const {
    const std::string hex = sha256(fmt::format("{} {}", shown(one), objects_.random_suffix())).hex();
    return fmt::format("{}-{}-4{}-a{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 3), hex.substr(15, 3),
                       hex.substr(18, 12));
  }

  const model::ObjectRequest& request_;
  Objects& objects_;
  const std::string action_;
  Json manifest_;
  ObjectWords words_;
};

}  // namespace

Result<std::string> act_on_object(const model::ObjectRequest& request, Objects& objects) {
  return Verbs(request, objects).act();
}

}  // namespace kist::dialect::argo
