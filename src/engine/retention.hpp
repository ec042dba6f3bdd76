// Which runs are kept, and when nothing new is begun.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "catalog/settings.hpp"
#include "engine/engine.hpp"

namespace kist::engine {

// A run that is to go, and why, for people.
struct Removal {
  catalog::RunSummary run;
  std::string why;
  bool expired = false;  // by its own file; else by a rule
};

// The runs that have expired, those beyond what their file keeps of a workflow that is run again and again (as its
// newest run has it), and those that the rules remove, of all there are (newest first). Runs with a tag and those that
// have not ended stay, whatever is said.
std::vector<Removal> runs_to_remove(std::span<const catalog::RunSummary> runs,
                                    std::span<const catalog::RetentionRule> rules, Time now);

// Whether a run that has not ended has made this one and answers for it: it may still look at what became of it.
Result<bool> is_held(catalog::Catalog& catalog, const std::string& run);

// What killed kists left in scratch, of which nothing is needed: a step that was under way starts anew. Removed, or
// with `dry_run` counted; what is in use stays. Bytes are those on disk.
struct LeftScratch {
  std::uint64_t directories = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> notices;  // what could not be removed, and why
};
Result<LeftScratch> free_scratch(const catalog::Home& home, bool dry_run);

// Bytes on disk that count for the quota: containers and index. Views have a budget of their own.
std::uint64_t quota_used(const catalog::Home& home);

// Whether something new may be begun: the store is below the quota, if there is one. What is under way is not stopped.
// Errors: no_space, with what to do.
Status check_quota(const catalog::Home& home);
// The same, and how many bytes more there may be: UINT64_MAX without a quota.
Result<std::uint64_t> room_in_quota(const catalog::Home& home);

}  // namespace kist::engine
