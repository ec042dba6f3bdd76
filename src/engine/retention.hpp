// Which runs are kept, and when nothing new is begun.
#pragma once

#include <span>
#include <vector>

#include "catalog/settings.hpp"
#include "engine/engine.hpp"

namespace kist::engine {

// The runs that the rules remove, of all there are (newest first). Runs with a tag and those that have not ended stay.
std::vector<catalog::RunSummary> runs_to_remove(std::span<const catalog::RunSummary> runs,
                                                std::span<const catalog::RetentionRule> rules, Time now);

// Bytes on disk that count for the quota: containers and index. Views have a budget of their own.
std::uint64_t quota_used(const catalog::Home& home);

// Whether something new may be begun: the store is below the quota, if there is one. What is under way is not stopped.
// Errors: no_space, with what to do.
Status check_quota(const catalog::Home& home);

}  // namespace kist::engine
