#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/settings.hpp"
#include "cli/commands/table.hpp"
#include "cli/freeing.hpp"
#include "cli/runs.hpp"
#include "engine/retention.hpp"
#include "engine/roots.hpp"
#include "engine/tags.hpp"
#include "store/maintenance.hpp"

namespace kist::cli {

namespace {

struct GcOptions {
  std::optional<std::string> keep_last;
  std::optional<std::string> older_than;
  std::optional<std::string> workflow;
  std::optional<std::string> status;
  std::optional<std::string> grace;
  bool keep_tagged = false;
  bool compress = false;
  bool dry_run = false;
  bool yes = false;
  bool json = false;
};

// The one rule of the command line; nullopt where it has none.
Result<std::optional<catalog::RetentionRule>> rule_of(const GcOptions& options) {
  catalog::RetentionRule rule;
  rule.workflow = options.workflow;
  if (options.status) {
    KIST_TRY_ASSIGN(rule.outcome, catalog::parse_outcome(*options.status));
  }
  if (options.keep_last) {
    KIST_TRY_ASSIGN(rule.keep_last, catalog::parse_count(*options.keep_last));
  }
  if (options.older_than) {
    KIST_TRY_ASSIGN(rule.older_than, catalog::parse_age(*options.older_than));
  }
  if (rule.keep_last || rule.older_than) return rule;
  if (options.workflow || options.status)
    return fail(ErrorKind::invalid,
                "--workflow and --status choose runs to be removed: say which of them, by --keep-last or --older-than");
  return std::nullopt;
}

using Removals = std::vector<engine::Removal>;

void print_text(const Removals& runs, const store::Collected& done, const engine::LeftScratch& scratch, bool dry_run) {
  const std::string_view would = dry_run ? "would be " : "";
  for (const auto& each : runs) print(fmt::format("{} {}removed: {}\n", each.run.name, would, each.why));
  const std::uint64_t freed = done.bytes > done.written ? done.bytes - done.written : 0;
  print(fmt::format(
      "{} {}freed: {} of {} containers{}", human_size(freed + done.view_bytes + scratch.bytes), would,
      human_size(done.bytes), done.containers,
      done.repacked > 0 ? fmt::format(" ({} of them packed anew, {})", done.repacked, human_size(done.written)) : ""));
  print(fmt::format(", {} of {} views", human_size(done.view_bytes), done.views));
  if (scratch.directories > 0)
    print(fmt::format(", {} in scratch that {} killed {} left", human_size(scratch.bytes), scratch.directories,
                      scratch.directories == 1 ? "task" : "tasks"));
  print("\n");
  if (done.waiting > 0)
    print(fmt::format(
        "{} in {} containers nobody needs {} still held by what is going on, or younger than the grace: the "
        "next `kist gc` frees them\n",
        human_size(done.waiting_bytes), done.waiting, done.waiting == 1 ? "is" : "are"));
  for (const auto& notice : done.notices) print(notice + "\n");
  for (const auto& notice : scratch.notices) print(notice + "\n");
}

void print_as_json(const Removals& runs, const store::Collected& done, const engine::LeftScratch& scratch,
                   bool dry_run) {
  Json names = Json::array();
  Json reasons = Json::object();
  for (const auto& each : runs) {
    names.push_back(each.run.name);
    reasons[each.run.name] = each.why;
  }
  auto notices = done.notices;
  notices.insert(notices.end(), scratch.notices.begin(), scratch.notices.end());
  print_json({{"dry_run", dry_run},
              {"runs", std::move(names)},
              {"reasons", std::move(reasons)},
              {"containers", done.containers},
              {"bytes", done.bytes},
              {"repacked", done.repacked},
              {"written", done.written},
              {"waiting", done.waiting},
              {"waiting_bytes", done.waiting_bytes},
              {"views", done.views},
              {"view_bytes", done.view_bytes},
              {"scratch", scratch.directories},
              {"scratch_bytes", scratch.bytes},
              {"notices", std::move(notices)}});
}

Result<int> gc(Context& context, GcOptions& options) {
  KIST_TRY_ASSIGN(auto given, rule_of(options));
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  KIST_TRY_ASSIGN(auto settings, catalog::read_settings(parts.home));
  if (options.grace) {
    KIST_TRY_ASSIGN(settings.grace, catalog::parse_age(*options.grace));
  }
  if (given) settings.rules = {*given};

  KIST_TRY_ASSIGN(const auto all, list_runs(context.house, {}));
  auto tell = [](const std::string& notice) { fmt::print(stderr, "{}\n", notice); };
  Removals runs;
  for (auto& each : engine::runs_to_remove(all, settings.rules, now())) {
    KIST_TRY_ASSIGN(const bool held, engine::is_held(parts.catalog, each.run.name));
    if (!held) runs.push_back(std::move(each));
  }
  const bool by_rule = std::ranges::any_of(runs, [](const auto& each) { return !each.expired; });
  if (given && by_rule && !options.dry_run) {
    KIST_TRY_ASSIGN(const bool agreed, context.confirm(fmt::format("Remove {} runs?", runs.size()), options.yes));
    if (!agreed) return 0;
    options.yes = true;  // it is not asked again where all this is done again
  }
  KIST_TRY_ASSIGN(const auto scratch, engine::free_scratch(parts.home, options.dry_run));
  std::set<std::string> to_be_removed;  // of a dry run; else they are gone, and a new run may have such a name by now
  for (const auto& each : runs) {
    if (options.dry_run) {
      to_be_removed.insert(each.run.name);
      continue;
    }
    auto removed = engine::remove_run(parts, each.run.name, false, tell);
    // What goes on again by now stays; what could not be deleted elsewhere is tried again the next time.
    const bool later =
        !removed && (removed.error().kind == ErrorKind::unavailable || removed.error().kind == ErrorKind::conflict);
    if (later)
      tell(removed.error().text);
    else
      KIST_TRY(removed);
  }
  if (!options.dry_run) KIST_TRY(engine::refer_all_tags(parts));

  KIST_TRY_ASSIGN(auto maintenance, store::Maintenance::open(parts.home.store()));
  auto roots = [&](const store::TakeRoot& take) { return engine::take_roots(parts, take, to_be_removed); };
  KIST_TRY_ASSIGN(const auto done, maintenance->collect(roots, {.dry_run = options.dry_run,
                                                                .grace = settings.grace,
                                                                .compress = options.compress,
                                                                .views_budget = settings.views}));
  if (options.json)
    print_as_json(runs, done, scratch, options.dry_run);
  else
    print_text(runs, done, scratch, options.dry_run);
  return 0;
}

}  // namespace

void declare_gc(Arguments& arguments, Context& context) {
  auto options = std::make_shared<GcOptions>();
  arguments.flag("-n,--dry-run", options->dry_run, "Only tell what would go, and how many bytes");
  arguments.option("--keep-last", "N", options->keep_last, "Remove finished runs but the newest N of each workflow");
  arguments.option("--older-than", "AGE", options->older_than, "Remove finished runs older than this: 12h, 30d, 2w");
  arguments.option("--workflow", "PATTERN", options->workflow, "Of these workflows only");
  arguments.option("--status", "STATUS", options->status, "Of those that `succeeded`, or that `failed`");
  arguments.flag("--keep-tagged", options->keep_tagged, "Keep runs that have a tag; this is always so");
  arguments.option("--grace", "AGE", options->grace, "Keep what nobody has needed for less than this");
  arguments.flag("--compress", options->compress,
                 "Also compress again, with zstd, what was compressed quickly when it was saved");
  arguments.flag("-y,--yes", options->yes, "Do not ask");
  arguments.flag("--json", options->json, "Print JSON");
  arguments.epilogue(
      "Runs go whose own file lets them (Argo's ttlStrategy, history limits of a CronWorkflow). Without a rule, here\n"
      "or in settings.yaml, no other is removed, and only what no run and no tag needs is freed. With several, a run\n"
      "goes if all of them let it. Runs may go on meanwhile.");
  arguments.action([&context, options] { return with_reserve(context.house, [&] { return gc(context, *options); }); });
}

}  // namespace kist::cli
