#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/settings.hpp"
#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"
#include "engine/roots.hpp"
#include "store/maintenance.hpp"

namespace kist::cli {

namespace {

struct DuOptions {
  std::vector<std::string> runs;
  bool all = false;
  bool json = false;
};

Result<std::set<std::string>> chosen(Context& context, const DuOptions& options) {
  std::set<std::string> names;
  for (const auto& word : options.runs) {
    if (word.starts_with(':')) {
      names.insert(word);
      continue;
    }
    KIST_TRY_ASSIGN(auto name, find_run(context.house, word, Naming::prefix));
    names.insert(std::move(name));
  }
  return names;
}

Result<int> du(Context& context, const DuOptions& options) {
  KIST_TRY_ASSIGN(const auto names, chosen(context, options));
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  KIST_TRY_ASSIGN(auto maintenance, store::Maintenance::open(parts.home.store()));
  KIST_TRY_ASSIGN(auto costs,
                  maintenance->costs([&](const store::TakeGroup& take) { return engine::take_groups(parts, take); }));
  if (!names.empty()) std::erase_if(costs, [&](const auto& cost) { return !names.contains(cost.name); });
  if (costs.size() < names.size())
    return fail(ErrorKind::not_found, "a tag of a run that is there costs what the run does: name the run");
  KIST_TRY_ASSIGN(const auto usage, maintenance->usage());
  KIST_TRY_ASSIGN(const auto settings, catalog::read_settings(parts.home));
  const auto& home = parts.home;
  const std::uint64_t scratch = store::bytes_on_disk(home.scratch());
  const std::uint64_t whole = store::bytes_on_disk(home.path());

  if (options.json) {
    Json runs = Json::array();
    for (const auto& cost : costs)
      runs.push_back({{"name", cost.name},
                      {"files", cost.files},
                      {"apparent", cost.apparent},
                      {"stored", cost.stored},
                      {"shared", cost.stored - cost.unique},
                      {"unique", cost.unique}});
    Json total{{"containers", usage.containers},
               {"index", usage.index},
               {"views", usage.views},
               {"temporary", usage.temporary},
               {"damaged", usage.damaged},
               {"scratch", scratch},
               {"home", whole}};
    if (settings.quota) total["quota"] = *settings.quota;
    print_json({{"runs", std::move(runs)}, {"total", std::move(total)}});
    return 0;
  }
  if (!costs.empty()) {
    Table table({"RUN", "FILES", "SIZE", "STORED", "SHARED", "UNIQUE"});
    for (const auto& cost : costs)
      table.add({cost.name, fmt::format("{}", cost.files), human_size(cost.apparent), human_size(cost.stored),
                 human_size(cost.stored - cost.unique), human_size(cost.unique)});
    print(table.to_text(context.colored_output()));
    print("\n");
  }
  print(fmt::format(
      "{} in containers, {} index, {} views, {} scratch, {} unfinished{}; {} in all\n", human_size(usage.containers),
      human_size(usage.index), human_size(usage.views), human_size(scratch), human_size(usage.temporary),
      usage.damaged > 0 ? fmt::format(", {} damaged", human_size(usage.damaged)) : "", human_size(whole)));
  if (settings.quota) print(fmt::format("The quota of containers and index is {}.\n", human_size(*settings.quota)));
  return 0;
}

}  // namespace

void declare_du(Arguments& arguments, Context& context) {
  auto options = std::make_shared<DuOptions>();
  arguments.flag("-a,--all", options->all, "All runs; so it is where none is named");
  arguments.flag("--json", options->json, "Print JSON, sizes in bytes");
  arguments.positionals("RUN", options->runs, false, "Of these runs only", Completes::run_or_tag);
  arguments.epilogue(
      "SIZE is that of the files, STORED what they take after each chunk is kept once and compressed. SHARED of it "
      "other\n"
      "runs need too; UNIQUE is what goes when the run goes.");
  arguments.action([&context, options] { return du(context, *options); });
}

}  // namespace kist::cli
