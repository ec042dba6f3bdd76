#include "dialect/argo/object_kinds.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kist::dialect::argo {
namespace {

using Sort = ObjectKind::Sort;

constexpr std::string_view kArgo = "argoproj.io/v1alpha1";

struct Named {
  ObjectKind kind;
  std::array<std::string_view, 3> words;  // in lower case, the singular
};

constexpr auto kObjectKinds = std::to_array<Named>({
    {{"Workflow", kArgo, "workflows.argoproj.io", Sort::run}, {"workflow", "wf", "workflows"}},
    {{"WorkflowTemplate", kArgo, "workflowtemplates.argoproj.io", Sort::document},
     {"workflowtemplate", "wftmpl", "workflowtemplates"}},
    {{"ClusterWorkflowTemplate", kArgo, "clusterworkflowtemplates.argoproj.io", Sort::document},
     {"clusterworkflowtemplate", "cwft", "clusterworkflowtemplates"}},
    {{"CronWorkflow", kArgo, "cronworkflows.argoproj.io", Sort::document}, {"cronworkflow", "cwf", "cronworkflows"}},
    {{"ConfigMap", "v1", "configmaps", Sort::document}, {"configmap", "cm", "configmaps"}},
    {{"Secret", "v1", "secrets", Sort::secret}, {"secret", "secrets", "secrets"}},
    {{"PersistentVolumeClaim", "v1", "persistentvolumeclaims", Sort::claim},
     {"persistentvolumeclaim", "pvc", "persistentvolumeclaims"}},
});

// Flags of kubectl that change nothing here; with `value`, the next word may be theirs.
struct Passed {
  std::string_view name;
  bool value;
};
constexpr auto kPassed = std::to_array<Passed>({
    {"--namespace", true},
    {"-n", true},
    {"--validate", false},
    {"--force", false},
    {"--grace-period", true},
    {"--wait", false},
    {"--cascade", false},
    {"--timeout", true},
    {"--now", false},
    {"--overwrite", false},
    {"--record", false},
    {"--save-config", false},
    {"--server-side", false},
    {"--force-conflicts", false},
    {"--field-manager", true},
    {"--output", true},
    {"-o", true},
    {"--type", true},
});

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string known_kinds() {
  std::vector<std::string_view> names;
  for (const Named& each : kObjectKinds) names.push_back(each.kind.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::unexpected<Error> unknown_kind(std::string_view name) {
  return fail(
      ErrorKind::unsupported,
      fmt::format("kist keeps no objects of kind {}: it has {}; for others a cluster is needed", name, known_kinds()));
}

// A word of the command line: "workflow", "workflows.argoproj.io".
Result<const ObjectKind*> kind_of_word(std::string_view word) {
  const std::string name = lower_case(word.substr(0, word.find('.')));
  for (const Named& each : kObjectKinds)
    if (std::ranges::find(each.words, std::string_view(name)) != each.words.end()) return &each.kind;
  return unknown_kind(word);
}

}  // namespace

Result<const ObjectKind*> find_kind(std::string_view name, std::string_view version) {
  for (const Named& each : kObjectKinds)
    if (each.kind.name == name && (version.empty() || version.substr(0, version.find('/')) ==
                                                          each.kind.version.substr(0, each.kind.version.find('/'))))
      return &each.kind;
  return unknown_kind(name);
}

Result<ObjectWords> read_words(const std::vector<expression::Text>& flags) {
  ObjectWords words;
  for (std::size_t index = 0; index < flags.size(); ++index) {
    const std::string flag = flags[index].source();
    if (!flag.starts_with('-')) {
      const auto slash = flag.find('/');
      if (words.kind == nullptr || slash != std::string::npos) {
        KIST_TRY_ASSIGN(words.kind, kind_of_word(flag.substr(0, slash)));
        if (slash != std::string::npos) words.names.push_back(flag.substr(slash + 1));
      } else {
        words.names.push_back(flag);
      }
      continue;
    }
    const auto equals = flag.find('=');
    const std::string name = flag.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = flag.substr(equals + 1);
    const auto next = [&]() -> Result<std::string> {
      if (value) return *value;
      if (index + 1 < flags.size()) return flags[++index].source();
      return fail(ErrorKind::invalid, fmt::format("flags: {} needs a value", name));
    };
    if (name == "--selector" || name == "-l") {
      KIST_TRY_ASSIGN(const std::string text, next());
      KIST_TRY_ASSIGN(words.selector, expression::parse_selector(text));
    } else if (name == "--all") {
      words.all = value.value_or("true") == "true";
    } else if (name == "--ignore-not-found") {
      words.ignore_missing = value.value_or("true") == "true";
    } else if (const auto passed = std::ranges::find(kPassed, std::string_view(name), &Passed::name);
               passed != kPassed.end()) {
      if (passed->value) KIST_TRY(next());
    } else {
      return fail(ErrorKind::unsupported, fmt::format("not supported yet: the flag {}", name));
    }
  }
  return words;
}

}  // namespace kist::dialect::argo
