#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/commands/table.hpp"
#include "engine/rebuild.hpp"
#include "engine/roots.hpp"
#include "store/maintenance.hpp"

namespace kist::cli {

namespace {

struct FsckOptions {
  bool repair = false;
  bool rebuild_catalog = false;
  bool json = false;
};

std::string_view kind_of(store::Finding::Kind kind) {
  switch (kind) {
    case store::Finding::Kind::container:
      return "container";
    case store::Finding::Kind::index:
      return "index";
    case store::Finding::Kind::reference:
      return "reference";
    case store::Finding::Kind::catalog:
      return "catalog";
    case store::Finding::Kind::artifact:
      return "artifact";
    case store::Finding::Kind::object:
      return "record";
  }
  return "";
}

// One line on a terminal that is written over.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  ~Progress() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
  }
  void show(std::uint64_t done, std::uint64_t total) {
    const auto at = std::chrono::steady_clock::now();
    if (!shown_ || at < next_) return;
    next_ = at + std::chrono::milliseconds(100);
    drawn_ = true;
    fmt::print(stderr, "\r\x1b[KReading {} of {} ({}%)", human_size(done), human_size(total),
               total == 0 ? 100 : done * 100 / total);
    std::fflush(stderr);
  }

 private:
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

Status rebuild(Context& context, store::Checked& checked, bool json) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  KIST_TRY_ASSIGN(const auto rebuilt, engine::rebuild_catalog(*home, *store));
  if (!json)
    print(fmt::format(
        "The catalog{}: {} runs and {} tags were added from their records.\n",
        rebuilt.set_aside.empty() ? "" : fmt::format(" was damaged and was put into {}", rebuilt.set_aside.string()),
        rebuilt.runs, rebuilt.tags));
  for (const auto& problem : rebuilt.problems)
    checked.findings.push_back({store::Finding::Kind::catalog, "catalog", fmt::format("not added: {}", problem)});
  return {};
}

// Whether --repair has something to do about it. What a run lacks once the damage was put aside only a copy brings
// back.
bool is_for_repair(const store::Finding& finding) {
  switch (finding.kind) {
    case store::Finding::Kind::container:
    case store::Finding::Kind::index:
    case store::Finding::Kind::reference:
      return true;
    case store::Finding::Kind::object:
      return finding.text.contains("--repair");
    case store::Finding::Kind::catalog:
    case store::Finding::Kind::artifact:
      return false;
  }
  return false;
}

void print_text(const Context& context, const store::Checked& checked, bool repair) {
  const bool colored = context.colored_output();
  for (const auto& finding : checked.findings) {
    print(fmt::format("{} {} {}: {}\n",
                      finding.repaired ? paint("✔", Color::green, colored) : paint("✖", Color::red, colored),
                      kind_of(finding.kind), finding.place, finding.text));
    for (const auto& path : finding.paths) print(fmt::format("    {}\n", path.empty() ? "(the whole artifact)" : path));
    if (finding.path_count > finding.paths.size())
      print(fmt::format("    and {} more\n", finding.path_count - finding.paths.size()));
  }
  print(fmt::format("{} containers, {} chunks, {} checked; {} artifacts and records.\n", checked.containers,
                    checked.chunks, human_size(checked.bytes), checked.roots));
  if (!checked.damaged())
    print(checked.findings.empty() ? "Everything is as it was stored.\n" : "All damage was repaired.\n");
  else if (!repair && std::ranges::any_of(checked.findings, is_for_repair))
    print("There is damage: `kist fsck --repair` repairs what can be.\n");
  else
    print(
        "What is marked ✖ cannot be repaired from what is here. What a run lacks comes back with `kist pull RUN` from "
        "a "
        "remote that has it, or when the same files are saved again; where there is no copy, `kist rm RUN` and `kist "
        "gc` let go of the run.\n");
}

void print_as_json(const store::Checked& checked) {
  Json findings = Json::array();
  for (const auto& finding : checked.findings) {
    Json item{{"name", finding.place},
              {"status", finding.repaired ? "repaired" : "damaged"},
              {"kind", kind_of(finding.kind)},
              {"text", finding.text}};
    if (finding.path_count > 0) {
      item["paths"] = finding.paths;
      item["path_count"] = finding.path_count;
    }
    findings.push_back(std::move(item));
  }
  print_json({{"status", checked.damaged() ? "damaged" : "sound"},
              {"containers", checked.containers},
              {"chunks", checked.chunks},
              {"bytes", checked.bytes},
              {"roots", checked.roots},
              {"findings", std::move(findings)}});
}

Result<int> fsck(Context& context, const FsckOptions& options) {
  store::Checked before;
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  if (options.repair) {
    KIST_TRY_ASSIGN(const bool restored, store::Maintenance::restore_format(home->store()));
    if (restored)
      before.findings.push_back({store::Finding::Kind::container, (home->store() / "format").string(),
                                 "was lost; it was written again", true});
  }
  // What opening the store repairs by itself is to be told of, so this comes first.
  KIST_TRY_ASSIGN(auto maintenance, store::Maintenance::open(home->store()));
  if (options.rebuild_catalog) KIST_TRY(rebuild(context, before, options.json));

  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  catalog::Catalog* runs = nullptr;
  auto catalog = context.house.catalog();
  auto sound = catalog ? (*catalog)->check() : std::unexpected(catalog.error());
  if (sound)
    runs = *catalog;
  else if (sound.error().kind == ErrorKind::corrupt)
    before.findings.push_back({store::Finding::Kind::catalog, home->catalog().string(),
                               sound.error().text.contains("--rebuild-catalog")
                                   ? sound.error().text
                                   : sound.error().text + "; `kist fsck --rebuild-catalog` makes it anew"});
  else
    return std::unexpected(sound.error());
  if (runs != nullptr) {
    KIST_TRY_ASSIGN(const auto lost, engine::lost_references(*store, *runs, options.repair));
    for (const auto& name : lost)
      before.findings.push_back({store::Finding::Kind::reference, name,
                                 options.repair ? "was lost or damaged; it was set by what the catalog knows"
                                                : "lost; --repair sets it by what the catalog knows",
                                 options.repair});
  }

  std::vector<store::Finding> records;
  auto roots = [&](const store::TakeRoot& take) {
    records.clear();
    return engine::take_readable_roots(*store, runs, take, [&](const std::string& name, const Error& error) {
      records.push_back({store::Finding::Kind::object, "the record of " + name, error.text});
    });
  };
  auto check = [&] {
    Progress progress(is_terminal(STDERR_FILENO) && !options.json);
    return maintenance->check(
        roots, {.repair = options.repair,
                .progress = [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total); }});
  };
  KIST_TRY_ASSIGN(store::Checked checked, check());
  if (!records.empty() && runs != nullptr) {
    KIST_TRY_ASSIGN(const auto parts, context.house.parts());
    KIST_TRY_ASSIGN(const auto lost, engine::lost_records(parts, options.repair));
    if (options.repair && !lost.empty()) {
      for (const auto& finding : checked.findings)
        if (finding.repaired) before.findings.push_back(finding);
      for (const auto& name : lost)
        before.findings.push_back({store::Finding::Kind::object, "the record of run " + name,
                                   "was damaged; it was written again by what the catalog knows", true});
      KIST_TRY_ASSIGN(checked, check());  // what the records lead to was not looked at
    }
    for (auto& record : records)
      if (!options.repair &&
          std::ranges::any_of(lost, [&](const auto& name) { return record.place == "the record of run " + name; }))
        record.text += "; --repair writes it again by what the catalog knows";
  }
  checked.findings.insert(checked.findings.begin(), before.findings.begin(), before.findings.end());
  checked.findings.insert(checked.findings.end(), records.begin(), records.end());
  if (options.json)
    print_as_json(checked);
  else
    print_text(context, checked, options.repair);
  return checked.damaged() ? 3 : 0;
}

}  // namespace

void declare_fsck(Arguments& arguments, Context& context) {
  auto options = std::make_shared<FsckOptions>();
  arguments.flag("--repair", options->repair, "Repair what can be, and put aside what cannot");
  arguments.flag("--rebuild-catalog", options->rebuild_catalog,
                 "First add to the catalog the runs and tags it does not know, from the store's records");
  arguments.flag("--json", options->json, "Print JSON");
  arguments.epilogue("Exit code: 0 where nothing is damaged any more, 3 where damage remains.");
  arguments.action([&context, options] { return fsck(context, *options); });
}

}  // namespace kist::cli
