#include "cli/transfers.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/subject.hpp"
#include "engine/references.hpp"
#include "engine/retention.hpp"
#include "engine/run_record.hpp"
#include "engine/tags.hpp"

namespace kist::cli {

namespace {

using namespace std::chrono_literals;

std::string run_reference(std::string_view run) {
  return fmt::format("runs/{}", run);
}
std::string tag_reference(std::string_view tag) {
  return fmt::format("tags/{}", tag);
}

// The text of a record under another name, which `run` has then.
std::string text_under(model::RunRecord& run, const std::string& name) {
  run.name = name;
  return to_text(to_json(run));
}

std::unexpected<Error> not_finished(std::string_view run) {
  return fail(ErrorKind::invalid, fmt::format("{} has not ended: a run is pushed when it has; `kist resume {}` goes on "
                                              "with one that was interrupted",
                                              run, run));
}

// "of alice, 2026-11-21T03:16:28Z".
std::string description(const model::RunRecord& run) {
  return fmt::format("{} of {}, {}", run.workflow, run.user, to_rfc3339(run.created));
}

// The reference as it is on the remote; nullopt where there is none.
Result<std::optional<store::RemoteReference>> reference_now(OpenRemote& remote, const std::string& name) {
  auto now = remote.store->reference(name);
  if (now) return std::optional(std::move(*now));
  if (now.error().kind == ErrorKind::not_found) return std::nullopt;
  return std::unexpected(now.error());
}

// Whether a run's reference has to be set, and what it is now. Errors: conflict (another run has the name).
struct Move {
  bool wanted = true;
  std::optional<store::RemoteReference> now;
};
Result<Move> plan_run(OpenRemote& remote, const Sending& sending) {
  KIST_TRY_ASSIGN(auto now, reference_now(remote, run_reference(sending.run)));
  if (!now) return Move{};
  if (now->target == sending.record) return Move{.wanted = false, .now = {}};
  KIST_TRY_ASSIGN(const auto ours, store::read_run_record(remote.store->source(), sending.record));
  KIST_TRY_ASSIGN(const auto theirs, store::read_run_record(remote.store->source(), now->target));
  if (ours.id == theirs.id && remote.store->last_seen(run_reference(sending.run)) == sending.record)
    return fail(
        ErrorKind::conflict,
        fmt::format("the run '{0}' has gone on elsewhere since it was last seen on {1}: `kist pull {0} --remote "
                    "{1}` gets what has become of it",
                    sending.run, remote.named.name));
  if (ours.id == theirs.id) return Move{.wanted = true, .now = std::move(now)};  // resumed since it was pushed
  return fail(ErrorKind::conflict,
              fmt::format("{0} has another run '{1}' ({2}): `kist push {1} --as NAME --remote {0}` gives this one "
                          "another name there",
                          remote.named.name, sending.run, description(theirs)));
}

Result<Move> plan_tag(OpenRemote& remote, const Sending& sending, bool force) {
  const std::string name = tag_reference(*sending.tag);
  KIST_TRY_ASSIGN(auto now, reference_now(remote, name));
  if (!now) return Move{};
  if (now->target == sending.record) return Move{.wanted = false, .now = {}};
  if (force || remote.store->last_seen(name) == now->target) return Move{.wanted = true, .now = std::move(now)};
  const auto theirs = store::read_run_record(remote.store->source(), now->target);
  return fail(ErrorKind::conflict,
              fmt::format("somebody else has set the tag '{0}' on {1}{2}. `kist pull :{0} --remote {1}` gets it, "
                          "`kist push :{0} --remote {1} --force` moves it",
                          *sending.tag, remote.named.name,
                          theirs ? fmt::format(": it is of the run {} ({})", theirs->name, description(*theirs)) : ""));
}

Status move(OpenRemote& remote, const std::string& name, const Digest& target, const Move& planned) {
  if (planned.wanted) {
    auto set = remote.store->set_reference(name, target, planned.now);
    if (!set && set.error().kind == ErrorKind::conflict)
      return fail(ErrorKind::conflict,
                  fmt::format("{}. Everything is there; push again to see by whom", set.error().text));
    KIST_TRY(set);
  }
  return remote.store->remember(name, target);
}

}  // namespace

Result<Sending> find_sending(House& house, std::string_view word) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  const bool is_tag = word.starts_with(':');
  if (!is_tag) {
    if (auto name = find_run(house, word, Naming::prefix)) {
      KIST_TRY_ASSIGN(const auto summary, catalog->summary(*name));
      if (!summary.record) return not_finished(*name);
      return Sending{*name, *summary.record, std::nullopt};
    } else if (name.error().kind != ErrorKind::not_found) {
      return std::unexpected(name.error());
    }
  }
  const auto tag = catalog->tag(is_tag ? word.substr(1) : word);
  if (!tag && tag.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, is_tag ? fmt::format("Cannot find the local tag '{}'", word.substr(1))
                                             : fmt::format("Cannot find the local run or tag '{}'", word));
  if (!tag) return std::unexpected(tag.error());
  if (!tag->record) return not_finished(tag->run);
  return Sending{tag->run, *tag->record, tag->name};
}

Result<Renamed> rename(House& house, const Sending& sending, const std::string& name) {
  KIST_TRY_ASSIGN(store::Store * store, house.store());
  KIST_TRY_ASSIGN(auto transaction, store->begin());
  KIST_TRY_ASSIGN(auto run, engine::read_run_record(*store, sending.record));
  KIST_TRY_ASSIGN(const Digest record, transaction->put_object(text_under(run, name)));
  KIST_TRY(transaction->commit());
  return Renamed{{name, record, sending.tag}, std::move(transaction)};
}

Status push_to(OpenRemote& remote, std::span<const Sending> sendings, bool force, store::Transfer& transfer) {
  // What would be refused in the end is refused before anything is sent.
  for (const Sending& sending : sendings) {
    KIST_TRY(plan_run(remote, sending));
    if (sending.tag) KIST_TRY(plan_tag(remote, sending, force));
  }
  std::vector<Digest> records;
  for (const Sending& sending : sendings) records.push_back(sending.record);
  KIST_TRY(remote.store->push(records, transfer));
  for (const Sending& sending : sendings) {
    KIST_TRY_ASSIGN(const auto run, plan_run(remote, sending));
    KIST_TRY(move(remote, run_reference(sending.run), sending.record, run));
    if (!sending.tag) continue;
    KIST_TRY_ASSIGN(const auto tag, plan_tag(remote, sending, force));
    KIST_TRY(move(remote, tag_reference(*sending.tag), sending.record, tag));
  }
  return {};
}

namespace {

struct Found {
  Digest record;
  std::optional<std::string> tag;
};

Result<Found> find_on(OpenRemote& remote, std::string_view word) {
  const bool is_tag = word.starts_with(':');
  if (!is_tag) {
    KIST_TRY_ASSIGN(auto run, reference_now(remote, run_reference(word)));
    if (run) return Found{run->target, std::nullopt};
  }
  const std::string_view name = is_tag ? word.substr(1) : word;
  KIST_TRY_ASSIGN(auto tag, reference_now(remote, tag_reference(name)));
  if (tag) return Found{tag->target, std::string(name)};
  return fail(ErrorKind::not_found,
              fmt::format("Cannot find the remote {} '{}'; `kist remote list {}` lists what is there",
                          is_tag ? "tag" : "run or tag", name, remote.named.name));
}

// What there is here of a run that is to be pulled.
struct Here {
  bool is_same = false;
  std::optional<Digest> older;  // its record: what was last seen on the remote, which has gone on there alone
};

// `seen`: the record here of what was last seen of it on the remote. Errors: conflict (another one has its name).
Result<Here> check_run(catalog::Catalog& catalog, const model::RunRecord& run, const Digest& record,
                       const std::optional<Digest>& seen) {
  const auto here = catalog.run(run.name);
  if (!here && here.error().kind == ErrorKind::not_found) return Here{};
  if (!here) return std::unexpected(here.error());
  if (here->id != run.id)
    return fail(ErrorKind::conflict,
                fmt::format("there is another run '{0}' here ({1}): `kist pull {0} --as NAME` gives the one that is "
                            "fetched another name here",
                            run.name, description(*here)));
  KIST_TRY_ASSIGN(const auto summary, catalog.summary(run.name));
  if (summary.record == record) return Here{.is_same = true, .older = {}};
  if (summary.record && summary.record == seen) return Here{.is_same = false, .older = seen};
  return fail(ErrorKind::conflict,
              fmt::format("the run '{0}' here and the one on the remote went on differently: `kist rm {0}` removes "
                          "this one, its tags would keep its artifacts",
                          run.name));
}

Status check_tag(catalog::Catalog& catalog, OpenRemote& remote, const std::string& name, const Digest& record,
                 bool force) {
  const auto here = catalog.tag(name);
  if (!here && here.error().kind == ErrorKind::not_found) return {};
  if (!here) return std::unexpected(here.error());
  const auto seen = remote.store->last_seen(tag_reference(name));
  if (force || here->record == record || (seen && here->record == seen)) return {};
  return fail(ErrorKind::conflict,
              fmt::format("the tag '{0}' is here already, of run '{1}': `kist pull :{0} --remote {2} --force` moves it",
                          name, here->run, remote.named.name));
}

}  // namespace

Result<Pulled> pull_from(House& house, OpenRemote& remote, std::string_view word, const PullOptions& options,
                         store::Transfer& transfer) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  KIST_TRY_ASSIGN(store::Store * store, house.store());
  KIST_TRY_ASSIGN(const auto found, find_on(remote, word));
  // What would be refused in the end is refused before anything is fetched.
  KIST_TRY_ASSIGN(auto run, store::read_run_record(remote.store->source(), found.record));
  Digest record = found.record;  // here
  std::string renamed;
  if (options.as && *options.as != run.name) {
    renamed = text_under(run, *options.as);
    record = sha256(renamed);
  }
  const std::string reference = run_reference(run.name);  // by its name here: under several, each is at its own state
  KIST_TRY_ASSIGN(const Here local, check_run(*catalog, run, record, remote.store->last_seen(reference)));
  if (found.tag) KIST_TRY(check_tag(*catalog, remote, *found.tag, record, options.force));

  if (!local.is_same) {
    KIST_TRY_ASSIGN(const catalog::Home* home, house.home());
    KIST_TRY_ASSIGN(transfer.room, engine::room_in_quota(*home));
  }

  KIST_TRY(remote.store->pull(found.record, transfer));
  KIST_TRY_ASSIGN(const auto transaction, store->begin());
  if (!renamed.empty()) {
    KIST_TRY(transaction->put_object(renamed));
    KIST_TRY(transaction->commit());
  }
  if (options.project) run.project = *options.project;
  model::RunRecord here = run;
  here.expires = Time{};  // who pulls a run wants it, however long it was to be kept elsewhere
  // The catalog decides who was first where the run is gone on with here meanwhile.
  if (local.older) KIST_TRY(catalog->import_run(here, record, local.older));
  KIST_TRY(engine::refer(*store, run_reference(run.name), record));
  if (!local.older) KIST_TRY(catalog->import_run(here, record));
  KIST_TRY(remote.store->remember(reference, record));
  if (found.tag) {
    KIST_TRY(catalog->import_tag({*found.tag, run.name, record, now()}));
    KIST_TRY(remote.store->remember(tag_reference(*found.tag), found.record));
  }
  if (found.tag || local.older) {
    KIST_TRY_ASSIGN(const auto parts, house.parts());
    KIST_TRY(engine::refer_all_tags(parts));
  }
  return Pulled{run.name, found.tag, local.is_same};
}

Result<model::RunRecord> fetch_tag(OpenRemote& remote, std::string_view tag, store::Transfer& transfer) {
  KIST_TRY_ASSIGN(const auto found, find_on(remote, fmt::format(":{}", tag)));
  KIST_TRY(remote.store->pull(found.record, transfer));
  return store::read_run_record(remote.store->source(), found.record);
}

std::string progress_text(std::uint64_t done, std::uint64_t total, std::chrono::nanoseconds taken) {
  std::string text = fmt::format("{} of {}", human_size(done), human_size(total));
  const double seconds = std::chrono::duration<double>(taken).count();
  if (seconds < 0.5 || done == 0) return text;
  const double speed = static_cast<double>(done) / seconds;
  text += fmt::format(", {}/s", human_size(static_cast<std::uint64_t>(speed)));
  if (done < total) {
    const std::chrono::duration<double> left(static_cast<double>(total - done) / speed);
    text += fmt::format(", {} left", to_short_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(left)));
  }
  return text;
}

TransferDisplay::TransferDisplay(std::string what, const store::Transfer& transfer)
    : what_(std::move(what)), transfer_(transfer) {
  if (is_terminal(STDERR_FILENO)) thread_ = std::jthread([this](const std::stop_token& stop) { draw(stop); });
}

TransferDisplay::~TransferDisplay() = default;

void TransferDisplay::draw(const std::stop_token& stop) const {
  const auto begin = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, stop, 200ms, [&] { return stop.stop_requested(); })) {
    const auto text = fmt::format(
        "{}: {}", what_, progress_text(transfer_.done, transfer_.total, std::chrono::steady_clock::now() - begin));
    fmt::print(stderr, "\r\x1b[K{}", text.substr(0, static_cast<std::size_t>(terminal_width(STDERR_FILENO)) - 1));
    std::fflush(stderr);
  }
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace kist::cli
