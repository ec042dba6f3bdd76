#include "dialect/circleci/dialect.hpp"

#include <algorithm>
#include <system_error>

#include "dialect/circleci/config.hpp"
#include "dialect/circleci/lower.hpp"
#include "dialect/circleci/wording.hpp"

namespace kist::dialect::circleci {
namespace {

// Whether there is a `version` of 2 and `jobs` or `workflows` among the keys at the left margin. Lines are looked at
// one by one, so that a file with a mistake further down is recognised too.
bool looks_like_config(std::string_view text) {
  bool version = false;
  bool jobs = false;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with("version:")) {
      std::size_t value = line.find_first_not_of(" \t'\"", std::string_view("version:").size());
      version = value != std::string_view::npos && line[value] == '2';
    }
    jobs = jobs || line.starts_with("jobs:") || line.starts_with("workflows:");
  }
  return version && jobs;
}

class Circleci final : public model::Dialect {
 public:
  std::string_view name() const override { return "circleci"; }

  std::vector<std::filesystem::path> project_files(const std::filesystem::path& project) const override {
    std::filesystem::path config = project / ".circleci" / "config.yml";
    std::error_code absent;
    if (!std::filesystem::is_regular_file(config, absent)) return {};
    return {config};
  }

  bool recognises(const std::filesystem::path& name, std::string_view text) const override {
    bool is_yaml = name.extension() == ".yml" || name.extension() == ".yaml";
    return (is_yaml && name.parent_path().filename() == ".circleci") || looks_like_config(text);
  }

  Result<std::vector<model::WorkflowSummary>> workflows(const std::vector<model::SourceText>& files) const override {
    KIST_TRY_ASSIGN(Config config, parse_config(files));
    std::vector<model::WorkflowSummary> summaries;
    for (WorkflowEntry& entry : workflow_entries(config))
      summaries.push_back({std::move(entry.name), "", std::move(entry.origin)});
    return summaries;
  }

  Result<model::Lowered> lower(const model::RunRequest& request) const override { return circleci::lower(request); }

  const model::Wording& wording() const override { return circleci::wording(); }
};

}  // namespace

const model::Dialect& dialect() {
  static const Circleci instance;
  return instance;
}

}  // namespace kist::dialect::circleci
