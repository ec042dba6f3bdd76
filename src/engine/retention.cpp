#include "engine/retention.hpp"

#include <map>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/terminal.hpp"
#include "store/maintenance.hpp"

namespace kist::engine {
namespace {

using catalog::RetentionRule;
using catalog::RunSummary;

bool fits(const RetentionRule& rule, const RunSummary& run) {
  if (rule.workflow && ::fnmatch(rule.workflow->c_str(), run.workflow.c_str(), 0) != 0) return false;
  if (rule.project && *rule.project != run.project) return false;
  switch (rule.outcome) {
    case RetentionRule::Outcome::any:
      return true;
    case RetentionRule::Outcome::succeeded:
      return model::is_success(run.state);
    case RetentionRule::Outcome::failed:
      return !model::is_success(run.state);
  }
  return false;
}

}  // namespace

std::vector<RunSummary> runs_to_remove(std::span<const RunSummary> runs, std::span<const RetentionRule> rules,
                                       Time now) {
  std::vector<RunSummary> removed;
  std::map<std::tuple<const RetentionRule*, std::string, std::string>, std::size_t> newer;
  for (const RunSummary& run : runs) {
    if (!model::is_final(run.state)) continue;
    for (const RetentionRule& rule : rules) {
      if (!fits(rule, run)) continue;
      // Runs with a tag count as kept ones.
      std::size_t before = newer[{&rule, run.project, run.workflow}]++;
      bool recent = rule.keep_last && before < *rule.keep_last;
      bool young = rule.older_than && now - std::max(run.finished, run.created) < *rule.older_than;
      if (run.tags.empty() && !recent && !young) removed.push_back(run);
      break;
    }
  }
  return removed;
}

std::uint64_t quota_used(const catalog::Home& home) {
  return store::bytes_on_disk(home.store() / "containers") + store::bytes_on_disk(home.store() / "index");
}

Status check_quota(const catalog::Home& home) {
  KIST_TRY_ASSIGN(auto settings, catalog::read_settings(home));
  if (!settings.quota) return {};
  std::uint64_t used = quota_used(home);
  if (used < *settings.quota) return {};
  return fail(
      ErrorKind::no_space,
      fmt::format("the store takes {} and its quota is {}, so nothing new is begun: remove runs (`kist rm`, `kist "
                  "gc --keep-last N`) and collect what they held (`kist gc`), or raise the quota (`quota` in "
                  "{}, or KIST_QUOTA)",
                  human_size(used), human_size(*settings.quota), (home.path() / "settings.yaml").string()));
}

}  // namespace kist::engine
