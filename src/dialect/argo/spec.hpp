// A Workflow as its documents say it, after references to other documents are followed and before any check of its
// sense. Plain data with marks; what kist does not support has been reported and is absent here, or leaves a word that
// keeps later checks quiet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/yaml.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// A scalar and where it stands. Its text may hold `{{…}}`.
struct Scalar {
  std::string text;
  yaml::Mark mark;
};

// A key of a secret or of a config map.
struct KeySelector {
  Scalar name;
  Scalar key;
  bool optional = false;
};

struct Parameter {
  Scalar name;
  std::optional<Scalar> value;
  std::optional<Scalar> fallback;              // default
  std::optional<std::vector<Scalar>> allowed;  // enum
  std::optional<Scalar> global;                // globalName
  bool overridden = false;  // the value was given with the run or by a config map: no reference is looked for in it
  bool has_value_from = false;
  int value_from_sources = 0;         // how many of path, parameter, expression … it names
  std::optional<Scalar> path;         // valueFrom.path
  std::optional<Scalar> parameter;    // valueFrom.parameter
  std::optional<Scalar> expression;   // valueFrom.expression
  std::optional<Scalar> json_path;    // valueFrom.jsonPath
  std::optional<Scalar> jq_filter;    // valueFrom.jqFilter
  std::optional<KeySelector> config;  // valueFrom.configMapKeyRef
  bool supplied = false;              // valueFrom.supplied
  bool event = false;                 // valueFrom.event
  std::optional<Scalar> absent;       // valueFrom.default
  yaml::Mark mark;
};

// Where bytes lie outside of the workflow. Names of fields are dotted where the file nests; lists repeat them.
struct Place {
  struct Field {
    std::string name;
    std::variant<Scalar, KeySelector> value;
  };
  std::string kind;  // s3, git, http …
  std::vector<Field> fields;
  yaml::Mark mark;

  const Scalar* text(std::string_view name) const;
};

struct Artifact {
  Scalar name;
  std::optional<Scalar> path;
  std::optional<Scalar> from;
  std::optional<Scalar> expression;  // fromExpression
  std::optional<Scalar> sub_path;
  std::optional<Scalar> raw;
  std::optional<Place> place;  // all other locations
  std::optional<std::uint32_t> mode;
  bool recurse_mode = false;
  bool optional = false;
  std::optional<model::Archive> archive;
  std::optional<Scalar> global;      // globalName
  std::optional<Scalar> collection;  // artifactGC.strategy
  std::vector<Scalar> exclude;       // kist's own: patterns that are not kept
  yaml::Mark mark;

  bool has_location() const { return raw.has_value() || place.has_value(); }
};

// Inputs, outputs or arguments.
struct Exchange {
  std::vector<Parameter> parameters;
  std::vector<Artifact> artifacts;
};

// An amount that a container asks for (resourceFieldRef).
struct ResourceField {
  Scalar resource;                  // limits.memory
  std::optional<Scalar> container;  // its name; none: the one it stands in
  std::optional<Scalar> divisor;
  yaml::Mark mark;
};

struct Variable {
  Scalar name;
  Scalar value;
  std::optional<KeySelector> secret;
  std::optional<KeySelector> config;
  std::optional<Scalar> field;  // fieldRef.fieldPath
  std::optional<ResourceField> resource;
  bool literal = false;  // the value comes from a config map: no reference is looked for in it
};

// All keys of a secret or of a config map as variables.
struct Variables {
  std::optional<Scalar> secret;
  std::optional<Scalar> config;
  std::string prefix;
  bool optional = false;
};

struct Mount {
  Scalar volume;
  Scalar path;
  std::optional<Scalar> sub_path;
  bool read_only = false;
};

struct ProbeSpec {
  std::vector<Scalar> command;
  std::optional<Scalar> url;  // made of httpGet
  std::optional<std::int64_t> port;
  std::int64_t delay = 0;
  std::int64_t period = 10;
  std::int64_t failures = 3;
};

// A container of Kubernetes, or Argo's script.
struct Program {
  std::optional<Scalar> name;
  std::optional<Scalar> image;
  std::vector<Scalar> command;
  std::vector<Scalar> arguments;
  std::vector<Variable> environment;
  std::vector<Variables> environment_from;
  std::optional<Scalar> working_directory;
  std::optional<Scalar> source;  // of a script
  std::vector<Mount> mounts;
  std::map<std::string, Scalar, std::less<>> resources;  // what it asks for: limits.memory, requests.cpu …
  std::optional<ProbeSpec> ready;
  bool mirror_mounts = false;         // sidecars, init containers: has the main container's mounts too
  bool stays = false;                 // an init container that goes on: restartPolicy Always
  bool as_root = false;               // securityContext asks for uid 0
  bool terminal = false;              // tty
  std::vector<Scalar> dependencies;   // in a container set
  std::optional<std::int64_t> grace;  // terminationGracePeriodSeconds
  yaml::Mark mark;
};

struct VolumeSpec {
  struct Item {
    Scalar key;
    Scalar path;
    std::optional<std::uint32_t> mode;
    std::optional<ResourceField> resource = std::nullopt;  // downward: instead of a field
  };
  // A part of it: what a projected volume puts together; one for secrets, config maps and the downward API.
  struct Part {
    enum class Kind { secret, config, downward };
    Kind kind = Kind::secret;
    Scalar name;
    std::vector<Item> items;  // downward: the key is the field
    bool optional = false;
    std::vector<std::pair<std::string, std::string>> texts;  // config: path and text, once they are looked up
  };
  enum class Kind { empty, claim, parts, host };
  Scalar name;
  Kind kind = Kind::empty;
  Scalar claim;
  Scalar path;
  std::optional<Scalar> host_type;  // hostPath.type
  bool read_only = false;
  std::vector<Part> parts;
  std::optional<std::uint32_t> mode;
  yaml::Mark mark;
};

struct LockSpec {
  Scalar name;
  Scalar name_space;                 // empty: the workflow's
  std::optional<KeySelector> limit;  // a semaphore
  std::string holders;               // of a semaphore, once it is looked up
  bool of_database = false;          // a semaphore whose holders Argo looks up in a database by the name
  yaml::Mark mark;
};

struct RetrySpec {
  std::optional<Scalar> limit;
  std::optional<Scalar> policy;
  std::optional<Scalar> backoff;
  std::optional<Scalar> factor;
  std::optional<Scalar> cap;
  std::optional<Scalar> max_duration;
  std::optional<Scalar> expression;
  yaml::Mark mark;
};

struct MemoSpec {
  Scalar key;
  Scalar cache;
  std::optional<Scalar> max_age;
  yaml::Mark mark;
};

struct LoopSpec {
  std::optional<std::vector<std::string>> items;  // withItems, each as JSON
  // What any of the items has in it: "a" of {a: 1}, "[0]" and "[1]" of [x, y]. nullopt: that is known when it runs.
  std::optional<std::set<std::string, std::less<>>> inner_names;
  std::optional<Scalar> parameter;  // withParam
  struct Sequence {
    std::optional<Scalar> count;
    std::optional<Scalar> start;
    std::optional<Scalar> end;
    std::optional<Scalar> format;
  };
  std::optional<Sequence> sequence;
  yaml::Mark mark;
};

// Which template somebody calls. `key` is set when references were followed: the template's place in the spec.
struct Reference {
  std::optional<Scalar> name;     // template
  std::optional<Scalar> library;  // templateRef.name
  bool cluster = false;           // templateRef.clusterScope
  bool is_inline = false;
  std::string key;       // empty: it was not found; dynamic: the text that will be its key
  bool dynamic = false;  // its name holds `{{…}}`
  bool given = false;    // something was written
};

struct HookSpec {
  Scalar name;
  Reference called;
  Exchange arguments;
  std::optional<Scalar> expression;
  yaml::Mark mark;
};

struct Template;

// A step of `steps` or a task of a `dag`.
struct StepSpec {
  Scalar name;
  Reference called;
  std::shared_ptr<Template> inner;  // inline; it moves into the spec when references are followed
  Exchange arguments;
  std::optional<LoopSpec> loop;
  int loops = 0;  // how many of withItems, withParam, withSequence there are
  std::optional<Reference> on_exit;
  std::vector<HookSpec> hooks;
  std::optional<Scalar> condition;  // when
  bool has_continue_on = false;
  bool tolerate_failed = false;
  bool tolerate_error = false;
  bool has_dependencies = false;
  std::vector<Scalar> dependencies;
  std::optional<Scalar> depends;
  yaml::Mark mark;
};

struct HttpSpec {
  struct Header {
    Scalar name;
    std::variant<Scalar, KeySelector> value;
  };
  std::optional<Scalar> url;
  std::optional<Scalar> method;
  std::vector<Header> headers;
  std::optional<Scalar> body;
  std::optional<std::int64_t> timeout;
  bool insecure = false;
  std::optional<Scalar> success_condition;
};

struct DataSpec {
  std::optional<Artifact> source;
  std::vector<Scalar> transformations;
};

struct ResourceSpec {
  std::optional<Scalar> action;
  std::optional<Scalar> manifest;
  std::optional<Artifact> manifest_from;
  std::optional<Scalar> merge_strategy;
  std::vector<Scalar> flags;
  bool owned = false;  // setOwnerReference
  std::optional<Scalar> success_condition;
  std::optional<Scalar> failure_condition;
};

struct Template {
  enum class Kind { none, container, script, steps, dag, container_set, suspend, data, http, resource, plugin };
  std::string key;     // unique in the spec: its name, "LIBRARY/NAME" of another document, "NAME.STEP" where inline
  std::string scope;   // the document it comes from: "" for the workflow itself, else the library's key and "/"
  std::string caller;  // of another document: who called it first, in the words of messages
  Scalar name;         // empty: inline
  Kind kind = Kind::none;
  Exchange inputs;
  Exchange outputs;
  Program program;                            // container, script
  std::vector<std::vector<StepSpec>> stages;  // steps
  std::vector<StepSpec> tasks;                // dag
  std::optional<Scalar> target;               // dag
  bool fail_fast = true;                      // dag
  bool fail_at_once = false;                  // steps, dag: the template's own failFast
  std::vector<Program> containers;            // container_set
  std::vector<Mount> set_mounts;              // container_set: of all its containers
  std::optional<RetrySpec> set_retry;         // container_set
  std::optional<Scalar> duration;             // suspend
  HttpSpec http;
  DataSpec data;
  ResourceSpec resource;
  std::vector<VolumeSpec> volumes;
  std::vector<Program> initial;  // initContainers
  std::vector<Program> sidecars;
  std::optional<Place> archive_place;  // archiveLocation
  std::optional<bool> archive_logs;
  bool daemon = false;
  std::optional<Scalar> deadline;  // activeDeadlineSeconds
  std::optional<Scalar> timeout;
  std::optional<Scalar> pending_timeout;
  std::optional<RetrySpec> retry;
  std::vector<LockSpec> locks;
  std::optional<MemoSpec> memo;
  std::optional<Scalar> parallelism;
  std::optional<Scalar> display;
  std::optional<Scalar> pod_patch;
  int types = 0;         // how many of container, script … it has
  bool as_root = false;  // securityContext asks for uid 0
  std::string lacking;   // a config map that is not here and that a step may make
  bool resource_claims = false;
  yaml::Node metrics;
  yaml::Node pod_resources;  // only looked at
  yaml::Mark mark;
};

// Which artifacts a repository completes, and how keys of outputs are made there.
struct Repository {
  std::optional<Place> place;  // none: this home's own
  std::string key_format;      // empty: "{{workflow.name}}/{{pod.name}}"
  std::optional<bool> archive_logs;
};

// What a cron workflow says of its runs, besides when they are.
struct CronSpec {
  std::optional<Scalar> condition;    // when
  std::optional<Scalar> stop;         // stopStrategy.expression
  std::optional<Scalar> concurrency;  // concurrencyPolicy
  std::optional<std::int64_t> keep_succeeded;
  std::optional<std::int64_t> keep_failed;
};

// Variables by which a process asks to be held, for who wants to look around in its container.
inline constexpr std::string_view kPauseBefore = "ARGO_DEBUG_PAUSE_BEFORE";
inline constexpr std::string_view kPauseAfter = "ARGO_DEBUG_PAUSE_AFTER";

struct Spec {
  enum class Kind { workflow, library, cron };
  Kind kind = Kind::workflow;
  bool bare = false;  // as Onepanel writes it: no kind, artifacts are plain files unless an archive is written
  std::optional<Scalar> name;
  std::optional<Scalar> generate_name;
  std::optional<Scalar> name_space;
  std::vector<std::pair<std::string, std::string>> labels;  // these two as they are, what looks like a tag too
  std::vector<std::pair<std::string, std::string>> annotations;
  std::vector<std::pair<std::string, std::string>> given_labels;  // the spec's workflowMetadata: texts
  std::vector<std::pair<std::string, std::string>> given_annotations;
  std::vector<std::pair<std::string, Scalar>> labels_from;  // workflowMetadata.labelsFrom
  std::optional<Scalar> entrypoint;
  std::string entry_key;  // of the template it names; empty: there is none
  std::optional<Scalar> service_account;
  std::optional<std::int64_t> priority;
  bool other_spec = false;         // something that was not found says the rest
  bool has_exit_handlers = false;  // onExit, hooks: some template may speak of the workflow's status
  Exchange arguments;
  std::vector<Template> templates;
  std::map<std::string, std::size_t, std::less<>> index;  // by key
  std::optional<Reference> on_exit;
  std::vector<HookSpec> hooks;
  std::vector<VolumeSpec> volumes;
  std::vector<VolumeSpec> claims;  // volumeClaimTemplates
  std::optional<Scalar> deadline;
  std::optional<Scalar> parallelism;
  std::optional<RetrySpec> retry;
  std::vector<LockSpec> locks;
  bool suspended = false;
  bool pauses = false;                      // who runs it wants processes held that ask for it
  bool drops_failed = false;                // who runs it wants no artifacts of steps that have not succeeded
  model::Expiry expiry;                     // ttlStrategy
  std::optional<Scalar> volume_collection;  // volumeClaimGC.strategy
  std::optional<bool> archive_logs;
  std::optional<Scalar> collection;  // artifactGC.strategy
  std::optional<Scalar> repository_map;
  std::optional<Scalar> repository_key;
  Repository repository;
  std::optional<Scalar> pod_patch;
  bool as_root = false;
  yaml::Node pod_collection;  // podGC
  yaml::Node pod_resources;
  yaml::Node metrics;
  std::vector<Scalar> schedules;  // of a cron workflow
  std::optional<Scalar> timezone;
  CronSpec cron;
  yaml::Mark mark;
};

inline bool is_task(Template::Kind kind) {
  return kind == Template::Kind::container || kind == Template::Kind::script;
}
inline bool is_group(Template::Kind kind) {
  return kind == Template::Kind::steps || kind == Template::Kind::dag;
}
// What runs processes.
inline bool is_pod(Template::Kind kind) {
  return is_task(kind) || kind == Template::Kind::container_set;
}

// The template of that key, nullptr where there is none.
const Template* find_template(const Spec& spec, std::string_view key);

// The keys of those that a step may call: one, more where its reference is dynamic, or none.
std::vector<std::string> called_by(const Spec& spec, const Reference& called);

// What messages call a template: "templates.NAME"; one of another document after who calls it.
std::string where_of(const Template& definition);

// Calls `visit(step, where)` for every step of a group, `where` being what messages call it:
// "templates.main.steps[0].a", "templates.main.tasks.a".
template <typename Group, typename Visit>
void for_each_step(Group& group, Visit visit) {
  for (std::size_t index = 0; index < group.stages.size(); ++index)
    for (auto& step : group.stages[index])
      visit(step, where_of(group) + ".steps[" + std::to_string(index) + "]." + step.name.text);
  for (auto& task : group.tasks) visit(task, where_of(group) + ".tasks." + task.name.text);
}

}  // namespace kist::dialect::argo
