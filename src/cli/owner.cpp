#include "cli/owner.hpp"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "catalog/settings.hpp"
#include "cli/live_sender.hpp"
#include "cli/remotes.hpp"
#include "cli/transfers.hpp"
#include "engine/retention.hpp"
#include "engine/run_record.hpp"
#include "environment/place.hpp"
#include "task/rooms.hpp"
#include "task/starters.hpp"

namespace kist::cli {

Result<std::unique_ptr<Interruptions>> Interruptions::start() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A reader of our output that goes away must not take the run with it.
  std::signal(SIGPIPE, SIG_IGN);

  std::unique_ptr<Interruptions> one(new Interruptions);
  one->signals_.reset(signalfd(-1, &set, SFD_CLOEXEC));
  if (!one->signals_) return fail_errno("listening for signals");
  one->end_.reset(eventfd(0, EFD_CLOEXEC));
  if (!one->end_) return fail_errno("listening for signals");
  one->thread_ = std::thread([self = one.get()] { self->wait_for_signals(); });
  return one;
}

Interruptions::~Interruptions() {
  if (!thread_.joinable()) return;
  eventfd_write(end_.get(), 1);
  thread_.join();
}

void Interruptions::listen(std::function<void(catalog::Request::Kind)> ask) {
  const std::lock_guard lock(mutex_);
  ask_ = std::move(ask);
}

void Interruptions::wait_for_signals() {
  int count = 0;
  while (true) {
    pollfd waited[] = {{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    if (poll(waited, 2, -1) < 0) continue;
    if (waited[1].revents != 0) return;
    signalfd_siginfo signal{};
    if (read(signals_.get(), &signal, sizeof signal) != sizeof signal) continue;
    const int number = static_cast<int>(signal.ssi_signo);
    const std::lock_guard lock(mutex_);
    if (!ask_ || ++count > 2) _exit(128 + number);
    if (count == 1) received_ = number;
    ask_(count == 1 ? catalog::Request::Kind::stop : catalog::Request::Kind::abort);
  }
}

namespace {

constexpr std::uint64_t kLongestName = 4096;

std::filesystem::path destination_file(const catalog::Home& home, const std::string& run) {
  return home.run(run) / "remote";
}

// What a run is finished with, where it is to be sent to a remote.
std::function<Status(const model::RunRecord&, const Digest&)> sender(House& house, engine::Observer& observer,
                                                                     std::string remote) {
  return [&house, &observer, remote = std::move(remote)](const model::RunRecord& run, const Digest& record) -> Status {
    const auto tell = [&](std::string text) {
      observer.notice({.level = model::Notice::Level::information, .origin = {}, .text = std::move(text)});
    };
    const auto sent = [&]() -> Status {
      KIST_TRY_ASSIGN(auto opened, open_remote(house, remote));
      tell(fmt::format("sending all of it to {}", remote));
      store::Transfer transfer;
      const Sending sending{run.name, record, run.request.tag};
      KIST_TRY(push_to(opened, std::span(&sending, 1), false, transfer));
      tell(fmt::format("{} has all of it, {} were sent", remote, human_size(transfer.done)));
      return {};
    }();
    if (sent) return {};
    return fail(sent.error().kind, fmt::format("{} has ended and is kept here, but could not be sent to {}: {}\n"
                                               "`kist resume {}` sends it again",
                                               run.name, remote, sent.error().text, run.name));
  };
}

// Sends the run as it is now, not ended.
Status send_unfinished(House& house, const engine::Parts& parts, const std::string& name, const std::string& remote) {
  KIST_TRY_ASSIGN(const auto run, engine::current_record(parts, name));
  // Until it is sent the record is kept by the transaction alone.
  KIST_TRY_ASSIGN(const auto transaction, parts.store.begin());
  KIST_TRY_ASSIGN(const Digest record, transaction->put_object(to_text(to_json(engine::hide_secrets(run)))));
  KIST_TRY(transaction->commit());
  KIST_TRY_ASSIGN(auto opened, open_remote(house, remote));
  store::Transfer transfer;
  const Sending sending{name, record, std::nullopt};
  return push_to(opened, std::span(&sending, 1), false, transfer);
}

}  // namespace

Status set_destination(const catalog::Home& home, const std::string& run, const std::string& remote) {
  return replace_file(destination_file(home, run), remote, 0600);
}

Result<int> own_run(House& house, sandbox::Launcher& launcher, Interruptions& interruptions, const std::string& run,
                    engine::Observer& observer, int jobs, const task::SpareStarters* spare) {
  KIST_TRY_ASSIGN(auto parts, house.parts());
  std::optional<LiveSender> live;
  if (const auto remote = read_file(destination_file(parts.home, run), kLongestName)) {
    live.emplace([&, name = *remote] { return send_unfinished(house, parts, run, name); },
                 [&, name = *remote](const Error& error) {
                   observer.notice({.level = model::Notice::Level::warning,
                                    .origin = {},
                                    .text = fmt::format("what is saved while the run goes on could not be sent to {}, "
                                                        "and is tried again: {}",
                                                        name, error.text)});
                 });
    parts.kept_live = [&live] { live->wake(); };
    parts.deliver = [&live, deliver = sender(house, observer, *remote)](const model::RunRecord& ended,
                                                                        const Digest& record) {
      live.reset();  // no task is left that could wake it, and one sending goes on at a time
      return deliver(ended, record);
    };
  }
  if (jobs <= 0) jobs = std::max(4, static_cast<int>(std::thread::hardware_concurrency()));
  // Beside the run, as it may take a while: what killed ones left is not needed, whatever becomes of it.
  const std::jthread sweeping([&home = parts.home] { (void)engine::free_scratch(home, false); });
  task::Rooms rooms(launcher, parts.home.scratch());
  KIST_TRY_ASSIGN(const auto settings, catalog::read_settings(parts.home));
  task::Starters starters(spare);
  const bool can_enter = settings.starters && launcher.isolation() != sandbox::Isolation::directory;
  const task::Tools tools{.rooms = rooms,
                          .store = parts.store,
                          .home = parts.home.path(),
                          .endpoints = settings.endpoints,
                          .starters = can_enter ? &starters : nullptr};
  const auto place = environment::make_local_place(tools, jobs);
  KIST_TRY_ASSIGN(const auto state, engine::Engine(parts).own(run, *place, observer));
  if (state == model::State::succeeded) return 0;
  return interruptions.received() != 0 ? 128 + interruptions.received() : 1;
}

}  // namespace kist::cli
