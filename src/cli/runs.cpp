#include "cli/runs.hpp"

#include <nlohmann/json.hpp>

#include "cli/context.hpp"

namespace kist::cli {

Result<std::vector<catalog::RunSummary>> list_runs(House& house, const catalog::RunFilter& filter) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  KIST_TRY_ASSIGN(auto runs, catalog->runs(filter));
  KIST_TRY_ASSIGN(const catalog::Home* home, house.home());
  for (auto& run : runs)
    if (!model::is_final(run.state) && !engine::is_owned(*home, run.name)) run.state = model::State::interrupted;
  return runs;
}

Result<std::vector<catalog::RunSummary>> list_current_runs(House& house, std::size_t newest) {
  KIST_TRY_ASSIGN(auto unfinished, list_runs(house, {.unfinished_only = true}));
  if (!unfinished.empty()) return unfinished;
  return list_runs(house, {.limit = newest});
}

Json summary_as_json(const catalog::RunSummary& run) {
  Json json{{"name", run.name},         {"status", model::to_string(run.state)},
            {"workflow", run.workflow}, {"dialect", run.dialect},
            {"project", run.project},   {"message", run.message},
            {"tags", run.tags}};
  json["created"] = json_time(run.created);
  json["started"] = json_time(run.started);
  json["finished"] = json_time(run.finished);
  return json;
}

}  // namespace kist::cli
