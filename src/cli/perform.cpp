#include "cli/perform.hpp"

#include <charconv>
#include <csignal>

#include <fmt/format.h>

#include "cli/attached.hpp"
#include "cli/detach.hpp"
#include "cli/diagnostics.hpp"
#include "cli/owner.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::cli {

namespace {

// Nobody looks at a detached run; what it has to say is in its record and its logs.
class Unwatched final : public engine::Observer {
 public:
  void notice(const model::Notice&) override {}
  void run_changed(const model::RunRecord&) override {}
  void node_changed(const model::NodeRecord&) override {}
  void output(const model::NodeNames&, task::Stream, std::string_view) override {}
};

Result<std::string> begin(Context& context, const Performance& performance, const NoticeSink& notice) {
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  engine::Engine engine(parts);
  KIST_TRY_ASSIGN(auto run, performance.begin(engine, notice));
  if (performance.remote && !run.empty()) KIST_TRY(set_destination(parts.home, run, *performance.remote));
  return run;
}

void forward_signals(Context& context, Interruptions& interruptions, catalog::Catalog& catalog, const std::string& run,
                     Attached* attached) {
  interruptions.listen([&context, &catalog, run, attached](catalog::Request::Kind kind) {
    if (attached != nullptr) {
      attached->say(kind == catalog::Request::Kind::stop ? "Stopping; what was made is kept. Ctrl+C again aborts"
                                                         : "Aborting");
    }
    if (auto asked = catalog.add_request(run, {kind}); !asked)
      print_error(context.program(), asked.error(), {}, context.colored_errors());
  });
}

// Signals are for the run as long as there is one to speak of.
struct Listening {
  Interruptions& interruptions;
  ~Listening() { interruptions.listen(nullptr); }
};

Result<int> perform_detached(Context& context, const Performance& performance, sandbox::Launcher& launcher,
                             Interruptions& interruptions) {
  KIST_TRY_ASSIGN(const auto run, begin(context, performance, [&](const model::Notice& notice) {
                    fmt::print(stderr, "{}", explain(notice, performance.files, context.colored_errors()));
                  }));
  if (run.empty()) return 0;
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  const Listening listening(interruptions);
  forward_signals(context, interruptions, *catalog, run, nullptr);
  announce(run, home->run(run) / "owner.log");
  Unwatched unwatched;
  return own_run(context.house, launcher, interruptions, run, unwatched, performance.jobs, performance.spare);
}

Result<int> perform_attached(Context& context, const Performance& performance, sandbox::Launcher& launcher,
                             Interruptions& interruptions) {
  Attached attached(context, performance.dialect->wording(), performance.files);
  KIST_TRY_ASSIGN(const auto run,
                  begin(context, performance, [&](const model::Notice& notice) { attached.notice(notice); }));
  if (run.empty()) return 0;
  attached.say(paint(run, Color::bold, context.colored_errors()));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  const Listening listening(interruptions);
  forward_signals(context, interruptions, *catalog, run, &attached);
  const auto code = own_run(context.house, launcher, interruptions, run, attached, performance.jobs, performance.spare);
  // Whatever kept kist from going on, the record says what there is.
  if (const auto parts = context.house.parts())
    if (const auto record = engine::current_record(*parts, run)) attached.finish(*record);
  return code;
}

}  // namespace

Result<int> perform(Context& context, const Performance& performance) {
  if (performance.detach) {
    KIST_TRY_ASSIGN(const auto parent, split_off());
    if (parent) return *parent;
  }
  KIST_TRY_ASSIGN(const auto launcher, sandbox::Launcher::start());
  KIST_TRY_ASSIGN(const auto interruptions, Interruptions::start());
  return performance.detach ? perform_detached(context, performance, *launcher, *interruptions)
                            : perform_attached(context, performance, *launcher, *interruptions);
}

Result<int> read_jobs(const std::optional<std::string>& text) {
  if (!text) return 0;
  int jobs = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), jobs);
  if (error != std::errc{} || end != text->data() + text->size() || jobs < 1 || jobs > 4096)
    return fail(ErrorKind::invalid, fmt::format("-j {}: expected a number from 1 to 4096", *text));
  return jobs;
}

}  // namespace kist::cli
