#include "cli/house.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/process.hpp"
#include "catalog/documents.hpp"
#include "catalog/secrets.hpp"
#include "catalog/settings.hpp"
#include "cli/supply.hpp"
#include "cli/transfers.hpp"
#include "dialect/argo/dialect.hpp"
#include "dialect/circleci/dialect.hpp"
#include "dialect/dstack/dialect.hpp"

namespace kist::cli {

const engine::Dialects& dialects() {
  static const engine::Dialects all = {&dialect::dstack::dialect(), &dialect::circleci::dialect(),
                                       &dialect::argo::dialect()};
  return all;
}

Result<const model::Wording*> wording_of(std::string_view name) {
  KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(dialects(), name));
  return &dialect->wording();
}

namespace {

// A home without its catalog is not an empty home: its runs would get new ones' names.
Status check_catalog_is_there(const catalog::Home& home) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(home.catalog(), error)) return {};
  for (const auto& reference : fs::directory_iterator(home.store() / "refs/runs", error))
    return fail(
        ErrorKind::corrupt,
        fmt::format("{} is missing, while the store has runs ({} …)\n`kist fsck --rebuild-catalog` makes it anew "
                    "from their records",
                    home.catalog().string(), reference.path().filename().string()));
  return {};
}

// What engine::Parts::start_run promises. A process of its own outlives this one, as the run does that asks.
Result<std::string> start_run(const engine::Parts& parts, model::RunRequest request, const model::RunRequest& asking) {
  KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(parts.dialects, request.dialect));
  KIST_TRY(supply_for(request, *dialect, asking, catalog::Documents(parts.home)));
  std::string told;
  KIST_TRY_ASSIGN(auto run,
                  engine::Engine(parts).submit(request, [&](const model::Notice& notice) { told = notice.text; }));
  if (run.empty()) return fail(ErrorKind::unavailable, told);
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return fail_errno("finding the program of this process", failed.value());
  ProcessRequest owner;
  owner.arguments = {self.string(), "resume", "--detach", run};
  KIST_TRY_ASSIGN(const auto started, run_process(owner));
  if (started.exit_code != 0)
    return fail(ErrorKind::unavailable,
                fmt::format("run {} was submitted and could not be started: {}", run, last_line(started.error_output)));
  return run;
}

}  // namespace

Result<const catalog::Home*> House::home() {
  if (!home_) {
    KIST_TRY_ASSIGN(home_, catalog::Home::open());
  }
  return &*home_;
}

Result<catalog::Catalog*> House::catalog() {
  if (!catalog_) {
    KIST_TRY_ASSIGN(const catalog::Home* at, home());
    KIST_TRY(check_catalog_is_there(*at));
    KIST_TRY_ASSIGN(catalog_, catalog::Catalog::open(*at));
    at->keep_reserve();
  }
  return catalog_.get();
}

Result<store::Store*> House::store() {
  if (!store_) {
    KIST_TRY_ASSIGN(const catalog::Home* at, home());
    KIST_TRY_ASSIGN(const auto settings, catalog::read_settings(*at));
    KIST_TRY_ASSIGN(store_,
                    store::Store::open(at->store(), {.views_budget = settings.views, .attributes = settings.xattrs}));
  }
  return store_.get();
}

Result<engine::Parts> House::parts() {
  KIST_TRY_ASSIGN(const catalog::Home* at, home());
  KIST_TRY_ASSIGN(catalog::Catalog * runs, catalog());
  KIST_TRY_ASSIGN(store::Store * kept, store());
  KIST_TRY_ASSIGN(const auto settings, catalog::read_settings(*at));
  auto outside = [at, endpoints = settings.endpoints] {
    location::Context context;
    context.endpoints = endpoints;
    context.cache = at->path() / "cache";
    context.scratch = at->scratch();
    context.secret = [secrets = catalog::Secrets(*at)](std::string_view name,
                                                       std::string_view key) -> Result<std::string> {
      KIST_TRY_ASSIGN(const auto values, secrets.get(name));
      if (const auto found = values.find(std::string(key)); found != values.end()) return found->second;
      return fail(ErrorKind::not_found, fmt::format("the secret '{}' has no key '{}'", name, key));
    };
    return context;
  };
  engine::Parts parts{
      .home = *at,
      .catalog = *runs,
      .store = *kept,
      .dialects = dialects(),
      .clock = [] { return now(); },
      .random = random_below,
      .remote_tag = [this](std::string_view remote, std::string_view tag) { return remote_tag(remote, tag); },
      .outside = outside};
  parts.start_run = [parts](model::RunRequest request, const model::RunRequest& asking) {
    return start_run(parts, std::move(request), asking);
  };
  return parts;
}

Result<model::RunRecord> House::remote_tag(std::string_view remote, std::string_view tag) {
  KIST_TRY_ASSIGN(auto opened, open_remote(*this, std::string(remote)));
  store::Transfer transfer;
  const TransferDisplay display(fmt::format("Fetching :{} from {}", tag, remote), transfer);
  KIST_TRY_ASSIGN(auto run, fetch_tag(opened, tag, transfer));
  const std::lock_guard lock(used_remotes_->mutex);
  used_remotes_->all.push_back(std::move(opened.store));
  return run;
}

std::uint32_t random_below(std::uint32_t limit) {
  if (limit <= 1) return 0;
  // Numbers above the last whole multiple of `limit` would make the small ones likelier.
  const std::uint32_t usable = UINT32_MAX - UINT32_MAX % limit;
  std::uint32_t number = 0;
  do {
    if (getrandom(&number, sizeof number, 0) != sizeof number) std::abort();
  } while (number >= usable);
  return number % limit;
}

}  // namespace kist::cli
