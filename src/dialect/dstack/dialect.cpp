#include "dialect/dstack/dialect.hpp"

#include <algorithm>
#include <system_error>

#include "dialect/dstack/job.hpp"
#include "dialect/dstack/lower.hpp"
#include "dialect/dstack/wording.hpp"
#include "dialect/dstack/workflows.hpp"

namespace kist::dialect::dstack {
namespace {

bool is_yaml(const std::filesystem::path& name) {
  return name.extension() == ".yaml" || name.extension() == ".yml";
}

// Below `.dstack`: workflows.yaml, workflows.yml, or a file of the directory workflows.
bool is_by_name(const std::filesystem::path& name) {
  std::filesystem::path parent = name.parent_path();
  if (!is_yaml(name)) return false;
  if (parent.filename() == ".dstack") return name.stem() == "workflows";
  return parent.filename() == "workflows" && parent.parent_path().filename() == ".dstack";
}

// Whether the first top-level key is `workflows` and its value is a list or, by mistake, a text or a workflow without
// its dash: that has a `provider` and no `jobs`, which every workflow of CircleCI begins with. Lines are looked at one
// by one, so that a file with a mistake further down is recognised too.
bool begins_with_workflows(std::string_view text) {
  bool seen = false;
  bool first_below = true;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos || line[start] == '#' || line.starts_with("---")) continue;
    if (seen) {
      if (first_below && line[start] == '-') return true;
      first_below = false;
      line.remove_prefix(start);
      if (start == 0 || line.starts_with("jobs:")) return false;
      if (line.starts_with("provider:")) return true;
      continue;
    }
    if (!line.starts_with("workflows:")) return false;
    std::string_view value = line.substr(std::string_view("workflows:").size());
    std::size_t first = value.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && value[first] != '#') return value[first] != '{' && value[first] != '&';
    seen = true;
  }
  return false;
}

class Dstack final : public model::Dialect {
 public:
  std::string_view name() const override { return "dstack"; }

  std::vector<std::filesystem::path> project_files(const std::filesystem::path& project) const override {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    auto add = [&](const std::filesystem::path& file) {
      std::error_code absent;
      if (is_yaml(file) && std::filesystem::is_regular_file(file, absent)) files.push_back(file);
    };
    std::filesystem::path directory = project / ".dstack";
    add(directory / "workflows.yaml");
    add(directory / "workflows.yml");
    std::vector<std::filesystem::path> others;
    for (std::filesystem::directory_iterator entry(directory / "workflows", error), end; !error && entry != end;
         entry.increment(error))
      others.push_back(entry->path());
    std::ranges::sort(others);
    std::ranges::for_each(others, add);
    return files;
  }

  bool recognises(const std::filesystem::path& name, std::string_view text) const override {
    return is_by_name(name) || begins_with_workflows(text);
  }

  Result<std::vector<model::WorkflowSummary>> workflows(const std::vector<model::SourceText>& files) const override {
    Workflows found(files);
    if (found.entries().empty() && !found.problems().empty()) return std::unexpected(found.find("").error());
    std::vector<model::WorkflowSummary> summaries;
    for (const Entry& entry : found.entries()) {
      const yaml::Node* help = entry.node->find("help");
      summaries.push_back({entry.name, help != nullptr ? help->text : "", entry.origin});
    }
    return summaries;
  }

  Result<model::Lowered> lower(const model::RunRequest& request) const override {
    Workflows found(request.files);
    KIST_TRY_ASSIGN(const Entry* entry, found.find(request.workflow));
    return dstack::lower(*entry, found, request);
  }

  const model::Wording& wording() const override { return dstack::wording(); }
  std::vector<Flag> run_flags() const override { return dstack::run_flags(); }
};

}  // namespace

const model::Dialect& dialect() {
  static const Dstack instance;
  return instance;
}

}  // namespace kist::dialect::dstack
