#include "cli/all_runs.hpp"

#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/process.hpp"
#include "cli/subject.hpp"
#include "engine/run_record.hpp"
#include "model/address.hpp"
#include "mount/mount_point.hpp"
#include "store/tree.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

constexpr auto kLookAgain = 1s;
constexpr auto kMountPatience = 20s;

// What is left of a path that a workflow's file names, below a directory: nothing where it would lead out of it.
std::string below(std::string_view path) {
  while (path.starts_with("./") || path.starts_with("~/")) path.remove_prefix(2);
  const std::string clean = fs::path(path).lexically_normal().relative_path().string();
  const std::string_view text = clean.ends_with('/') ? std::string_view(clean).substr(0, clean.size() - 1) : clean;
  return text == "." || !store::is_clean_path(text) ? "" : std::string(text);
}

}  // namespace

std::string place_in(Layout layout, const model::RunRecord& run, const model::AddressedArtifact& artifact) {
  std::string inside = layout == Layout::dstack ? below(artifact.artifact->path) : "";
  if (inside.empty()) inside = below(artifact.address);
  if (inside.empty()) inside = "artifact";
  if (layout == Layout::by_run) return fmt::format("{}/{}", run.name, inside);
  std::string repository = fs::path(run.project).filename().string();
  if (repository.empty()) repository = "project";
  return fmt::format("{}/{}/{}", repository, artifact.node->names.id, inside);
}

Result<std::vector<mount::Shown>> AllRuns::shown_of(const catalog::RunSummary& summary) {
  KIST_TRY_ASSIGN(store::Store * store, house_.store());
  KIST_TRY_ASSIGN(const model::RunRecord run, engine::read_run_record(*store, *summary.record));
  std::vector<mount::Shown> shown;
  if (layout_ == Layout::dstack && run.dialect != "dstack") return shown;
  for (const auto& one : model::addresses(run)) {
    const std::string place = place_in(layout_, run, one);
    if (store::is_clean_path(place))
      shown.push_back({place, {one.artifact->tree, one.artifact->times}, one.artifact->bytes});
  }
  return shown;
}

Status AllRuns::refresh(mount::Files& files) {
  std::lock_guard lock(mutex_);
  last_ = now();
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house_.catalog());
  KIST_TRY_ASSIGN(const auto runs, catalog->runs({}));
  std::map<std::string, Known> known;
  bool changed = false;
  for (const catalog::RunSummary& run : runs) {
    if (!run.record) continue;
    const auto before = known_.find(run.name);
    if (before != known_.end() && before->second.record == *run.record) {
      known.insert(known_.extract(before));
      continue;
    }
    changed = true;
    if (auto shown = shown_of(run)) known.emplace(run.name, Known{*run.record, std::move(*shown)});
  }
  changed = changed || !known_.empty();  // what is left there is gone
  known_ = std::move(known);
  if (!changed) return {};
  std::vector<mount::Shown> all;
  for (const auto& [name, one] : known_) all.insert(all.end(), one.shown.begin(), one.shown.end());
  return files.show(all, now());
}

void AllRuns::refresh_if_due(mount::Files& files) {
  {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || now() - last_ < kLookAgain) return;
    last_ = now();
  }
  (void)refresh(files);  // a catalog that is busy is asked again
}

void keep_dstack_artifacts(const Context& context) {
  const char* home = std::getenv("HOME");
  if (context.own_system() == nullptr || home == nullptr || access("/dev/fuse", R_OK | W_OK) != 0) return;
  const fs::path settings = fs::path(home) / ".dstack";
  std::error_code failed;
  if (!fs::is_directory(settings, failed)) return;
  const auto directory = mount::resolve(settings / "artifacts");
  if (!directory) return;
  const auto mounted = mount::mounted_at(*directory);
  if (!mounted || (*mounted && (*mounted)->alive)) return;
  if (!*mounted && fs::exists(*directory, failed) && !fs::is_empty(*directory, failed)) return;  // dstack's own, of old
  ProcessRequest request;
  request.arguments = {"/proc/self/exe", "mount", "--all", "--layout", "dstack", directory->string()};
  request.timeout = kMountPatience;
  (void)run_process(request);
}

}  // namespace kist::cli
