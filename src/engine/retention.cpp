#include "engine/retention.hpp"

#include <map>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/file.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"
#include "engine/repository.hpp"
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

// What is kept of the runs of a workflow that is run again and again: its newest run says how many, as its file was
// then. Of each outcome the newest are kept; those with a tag count.
class Histories {
 public:
  // Why a run that has ended may go, nullopt: it is none too many. Of runs from the newest on.
  std::optional<std::string> why_too_many(const RunSummary& run) {
    if (!run.history) return std::nullopt;
    Kept& kept = all_.try_emplace({run.project, run.workflow}, Kept{.limits = *run.history}).first->second;
    if (!model::is_final(run.state)) return std::nullopt;
    const bool is_success = model::is_success(run.state);
    const auto& limit = is_success ? kept.limits.succeeded : kept.limits.failed;
    const std::size_t newer = (is_success ? kept.succeeded : kept.failed)++;
    if (!limit || newer < *limit) return std::nullopt;
    return fmt::format("its file keeps the newest {} of {} that {}", *limit, run.workflow,
                       is_success ? "succeeded" : "failed");
  }

 private:
  struct Kept {
    model::History limits;
    std::size_t succeeded = 0;
    std::size_t failed = 0;
  };
  std::map<std::pair<std::string, std::string>, Kept> all_;
};

std::string age_words(std::chrono::nanoseconds age) {
  constexpr std::chrono::hours kDay(24);
  return age >= kDay && age % kDay == age.zero() ? fmt::format("{}d", age / kDay) : to_short_duration(age);
}

std::string words_of(const RetentionRule& rule) {
  std::string words;
  if (rule.keep_last)
    words = fmt::format("it is none of the newest {} of {}", *rule.keep_last, rule.workflow.value_or("its workflow"));
  if (rule.older_than)
    words += fmt::format("{} ended more than {} ago", words.empty() ? "it" : " and", age_words(*rule.older_than));
  return words;
}

}  // namespace

std::vector<Removal> runs_to_remove(std::span<const RunSummary> runs, std::span<const RetentionRule> rules, Time now) {
  std::vector<Removal> removed;
  std::map<std::tuple<const RetentionRule*, std::string, std::string>, std::size_t> newer;
  Histories histories;
  for (const RunSummary& run : runs) {
    const auto too_many = histories.why_too_many(run);
    if (!model::is_final(run.state)) continue;
    if (too_many && run.tags.empty()) {
      removed.push_back({run, *too_many, true});
      continue;
    }
    if (run.expires != Time{} && run.expires <= now && run.tags.empty()) {
      removed.push_back({run, fmt::format("its file lets it go since {}", to_rfc3339(run.expires)), true});
      continue;
    }
    for (const RetentionRule& rule : rules) {
      if (!fits(rule, run)) continue;
      // Runs with a tag count as kept ones.
      std::size_t before = newer[{&rule, run.project, run.workflow}]++;
      bool recent = rule.keep_last && before < *rule.keep_last;
      bool young = rule.older_than && now - std::max(run.finished, run.created) < *rule.older_than;
      if (run.tags.empty() && !recent && !young) removed.push_back({run, words_of(rule)});
      break;
    }
  }
  return removed;
}

Result<bool> is_held(catalog::Catalog& catalog, const std::string& run) {
  KIST_TRY_ASSIGN(const auto owners, catalog.owners({"run", run}));
  for (const std::string& owner : owners)
    if (auto summary = catalog.summary(owner); summary && !model::is_final(summary->state)) return true;
  return false;
}

Result<LeftScratch> free_scratch(const catalog::Home& home, bool dry_run) {
  LeftScratch left;
  auto take = [&](const std::filesystem::path& directory) {
    const std::uint64_t bytes = store::bytes_on_disk(directory);
    if (!dry_run)
      if (auto removed = remove_tree(directory); !removed) {
        left.notices.push_back(removed.error().text);
        return;
      }
    ++left.directories;
    left.bytes += bytes;
  };
  KIST_TRY(ScratchDirectory::each_abandoned(home.scratch(), "", take));
  KIST_TRY(ScratchDirectory::each_abandoned(home.path(), kPartOfKey, take));
  return left;
}

std::uint64_t quota_used(const catalog::Home& home) {
  return store::bytes_on_disk(home.store() / "containers") + store::bytes_on_disk(home.store() / "index");
}

Status check_quota(const catalog::Home& home) {
  KIST_TRY(room_in_quota(home));
  return {};
}

Result<std::uint64_t> room_in_quota(const catalog::Home& home) {
  KIST_TRY_ASSIGN(auto settings, catalog::read_settings(home));
  if (!settings.quota) return UINT64_MAX;
  std::uint64_t used = quota_used(home);
  if (used < *settings.quota) return *settings.quota - used;
  return fail(
      ErrorKind::no_space,
      fmt::format("the store takes {} and its quota is {}, so nothing new is begun: remove runs (`kist rm`, `kist "
                  "gc --keep-last N`) and collect what they held (`kist gc`), or raise the quota (`quota` in "
                  "{}, or KIST_QUOTA)",
                  human_size(used), human_size(*settings.quota), (home.path() / "settings.yaml").string()));
}

}  // namespace kist::engine
