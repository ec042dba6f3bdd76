#include "engine/objects.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/file.hpp"
#include "catalog/documents.hpp"
#include "catalog/secrets.hpp"
#include "task/task.hpp"

namespace kist::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLargestDocument = 1 << 20;
constexpr std::string_view kSuffixCharacters = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t kSuffixLength = 5;
constexpr auto kEndsWithin = 60s;
constexpr auto kLookAtOwnerAgain = 50ms;

constexpr std::string_view kRun = "run";
constexpr std::string_view kSecret = "secret";
constexpr std::string_view kClaim = "claim";

// Of a run that goes on the owner is asked first.
Status end_and_remove(const Parts& parts, std::string_view run, bool force,
                      const std::function<void(const std::string&)>& notice) {
  KIST_TRY_ASSIGN(const catalog::RunSummary summary, parts.catalog.summary(run));
  if (!model::is_final(summary.state) && is_owned(parts.home, run)) {
    KIST_TRY(parts.catalog.add_request(run, {catalog::Request::Kind::abort}));
    const auto patience = std::chrono::steady_clock::now() + kEndsWithin;
    while (is_owned(parts.home, run)) {
      if (std::chrono::steady_clock::now() > patience)
        return fail(ErrorKind::conflict, fmt::format("run '{}' does not end: it was not removed", run));
      std::this_thread::sleep_for(kLookAtOwnerAgain);
    }
  }
  return remove_run(parts, run, force, notice);
}

Status remove_claim_of(const catalog::Home& home, std::string_view name) {
  if (name.empty() || name.starts_with('.') || name.contains('/'))
    return fail(ErrorKind::invalid, fmt::format("'{}' is no name of a claim", name));
  return remove_tree(task::claimed_volumes(home.path()) / name);
}

Status remove_one(const Parts& parts, const catalog::Owned& owned, bool force,
                  const std::function<void(const std::string&)>& notice) {
  KIST_TRY(parts.catalog.disown(owned));
  if (owned.sort == kRun) return end_and_remove(parts, owned.name, force, notice);
  if (owned.sort == kSecret) return catalog::Secrets(parts.home).remove(owned.name);
  if (owned.sort == kClaim) return remove_claim_of(parts.home, owned.name);
  return catalog::Documents(parts.home).remove(owned.sort, owned.name);
}

}  // namespace

std::string RunObjects::random_suffix() {
  std::string text;
  while (text.size() < kSuffixLength)
    text += kSuffixCharacters[parts_.random(static_cast<std::uint32_t>(kSuffixCharacters.size()))];
  return text;
}

// What stands in the run's files does not change while it runs.
Result<const std::vector<model::Objects::Document>*> RunObjects::own_documents() {
  std::lock_guard lock(mutex_);
  if (own_) return &*own_;
  KIST_TRY_ASSIGN(const model::Dialect* dialect, find_dialect(parts_.dialects, run_.dialect));
  std::vector<Document>& own = own_.emplace();
  for (const auto* files : {&run_.request.files, &run_.request.library}) {
    for (const model::SourceText& file : *files) {
      auto documents = dialect->kept_documents(file);
      if (!documents) continue;
      for (auto& each : *documents)
        if (!each.secret) own.push_back({each.kind, each.name, std::move(each.source.text), false});
    }
  }
  return &own;
}

Result<model::Objects::Document> RunObjects::document(std::string_view kind, std::string_view name) {
  KIST_TRY_ASSIGN(const auto kept, catalog::Documents(parts_.home).list());
  for (const auto& each : kept) {
    if (each.kind != kind || each.name != name) continue;
    auto text = read_file(each.path, kLargestDocument);
    if (text) return Document{each.kind, each.name, std::move(*text)};
    if (text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
    break;  // removed since
  }
  KIST_TRY_ASSIGN(const auto* own, own_documents());
  for (const Document& each : *own)
    if (each.kind == kind && each.name == name) return each;
  return fail(ErrorKind::not_found, fmt::format("there is no {} '{}'", kind, name));
}

Result<std::vector<std::string>> RunObjects::documents(std::string_view kind, bool kept) {
  std::vector<std::string> names;
  KIST_TRY_ASSIGN(const auto listed, catalog::Documents(parts_.home).list());
  for (const auto& each : listed)
    if (each.kind == kind) names.push_back(each.name);
  if (kept) return names;
  KIST_TRY_ASSIGN(const auto* own, own_documents());
  for (const Document& each : *own)
    if (each.kind == kind && std::ranges::find(names, each.name) == names.end()) names.push_back(each.name);
  return names;
}

Status RunObjects::put_document(const Document& document) {
  return catalog::Documents(parts_.home).put(document.kind, document.name, document.text);
}

Status RunObjects::remove_document(std::string_view kind, std::string_view name) {
  KIST_TRY(parts_.catalog.disown({std::string(kind), std::string(name)}));
  return catalog::Documents(parts_.home).remove(kind, name);
}

Result<std::vector<std::string>> RunObjects::secrets() {
  KIST_TRY_ASSIGN(const auto listed, catalog::Secrets(parts_.home).list());
  std::vector<std::string> names;
  for (const auto& each : listed) names.push_back(each.name);
  return names;
}

Result<model::Objects::Values> RunObjects::secret(std::string_view name) {
  KIST_TRY_ASSIGN(Values values, catalog::Secrets(parts_.home).get(name));
  note_secrets(values);
  return values;
}

void RunObjects::note_secrets(const Values& values) {
  std::lock_guard lock(mutex_);
  for (const auto& [key, value] : values) secrets_.push_back(value);
}

std::vector<std::string> RunObjects::take_secrets() {
  std::lock_guard lock(mutex_);
  return std::exchange(secrets_, {});
}

Status RunObjects::put_secret(std::string_view name, const Values& values) {
  note_secrets(values);
  return catalog::Secrets(parts_.home).put(name, values);
}

Status RunObjects::remove_secret(std::string_view name) {
  KIST_TRY(parts_.catalog.disown({std::string(kSecret), std::string(name)}));
  return catalog::Secrets(parts_.home).remove(name);
}

Status RunObjects::remove_claim(std::string_view name) {
  KIST_TRY(parts_.catalog.disown({std::string(kClaim), std::string(name)}));
  return remove_claim_of(parts_.home, name);
}

Result<std::vector<std::string>> RunObjects::runs() {
  KIST_TRY_ASSIGN(const auto listed, parts_.catalog.runs({}));
  std::vector<std::string> names;
  for (const auto& each : listed)
    if (each.dialect == run_.dialect) names.push_back(each.name);
  return names;
}

Result<model::RunRecord> RunObjects::run(std::string_view name) {
  return current_record(parts_, name);
}

Result<std::string> RunObjects::start_run(const std::string& workflow) {
  if (!parts_.start_run) return fail(ErrorKind::unsupported, "no run can be started from here");
  model::RunRequest request;
  request.dialect = run_.dialect;
  request.project = run_.project;
  request.files.push_back({fmt::format("a manifest of {}", run_.name), workflow});
  return parts_.start_run(std::move(request), run_.request);
}

Status RunObjects::mark_run(std::string_view name, const model::Marks& marks) {
  return parts_.catalog.mark_run(name, marks);
}

Status RunObjects::ask_run(std::string_view name, Ask what) {
  using Kind = catalog::Request::Kind;
  const Kind kind = what == Ask::stop ? Kind::stop : what == Ask::abort ? Kind::abort : Kind::approve;
  return parts_.catalog.add_request(name, {kind});
}

Status RunObjects::remove_run(std::string_view name) {
  if (name == run_.name) return fail(ErrorKind::conflict, fmt::format("run '{}' cannot remove itself", name));
  return end_and_remove(parts_, name, false, say_);
}

Status RunObjects::own(std::string_view sort, std::string_view name, bool made) {
  const catalog::Owned owned{std::string(sort), std::string(name)};
  if (!made) {
    KIST_TRY_ASSIGN(const auto owners, parts_.catalog.owners(owned));
    if (owners.empty()) return {};
  }
  return parts_.catalog.add_owned(run_.name, owned);
}

Status remove_owned(const Parts& parts, std::string_view run, bool force,
                    const std::function<void(const std::string&)>& notice) {
  KIST_TRY_ASSIGN(const auto all, parts.catalog.owned(run));
  for (const catalog::Owned& owned : all) {
    KIST_TRY_ASSIGN(const auto owners, parts.catalog.owners(owned));
    if (owners.size() > 1) continue;
    auto removed = remove_one(parts, owned, force, notice);
    if (removed || removed.error().kind == ErrorKind::not_found) continue;
    KIST_TRY(parts.catalog.add_owned(run, owned));  // for the next who removes the run
    return with_context(fmt::format("{} '{}' goes with run '{}'", owned.sort, owned.name, run), removed.error());
  }
  return {};
}

}  // namespace kist::engine
