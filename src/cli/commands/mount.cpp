#include <atomic>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/time.hpp"
#include "cli/all_runs.hpp"
#include "cli/commands/table.hpp"
#include "cli/detach.hpp"
#include "cli/remotes.hpp"
#include "cli/subject.hpp"
#include "mount/files.hpp"
#include "mount/mount_point.hpp"
#include "mount/serve.hpp"

namespace kist::cli {

namespace {

// A damaged store must not fill the log.
constexpr unsigned kMostComplaints = 1000;

struct MountOptions {
  std::string subject;  // or, of all runs, the directory
  std::optional<std::string> directory;
  std::optional<std::string> remote;
  std::optional<std::string> layout;
  bool all = false;
  bool foreground = false;
  bool allow_other = false;
};

std::vector<mount::Shown> shown_of(const model::RunRecord& run) {
  std::vector<mount::Shown> shown;
  for (const auto& one : model::addresses(run)) {
    // Addresses are made of names that workflow files choose: as `cp` does, only what is a clean path is one.
    const std::string path = std::filesystem::path(one.address).lexically_normal().relative_path().string();
    shown.push_back({path == "." ? "artifact" : path, {one.artifact->tree, one.artifact->times}, one.artifact->bytes});
  }
  return shown;
}

// A run of a remote, or what a tag there refers to. Full names only: a remote is asked by name.
Result<model::RunRecord> record_on(OpenRemote& remote, std::string_view word) {
  const bool tag = word.starts_with(':');
  const std::string name = fmt::format("{}/{}", tag ? "tags" : "runs", tag ? word.substr(1) : word);
  const auto reference = remote.store->reference(name);
  if (!reference && reference.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, fmt::format("the remote {} has no {} '{}'", remote.named.name,
                                                  tag ? "tag" : "run", tag ? word.substr(1) : word));
  if (!reference) return std::unexpected(reference.error());
  return store::read_run_record(remote.store->source(), reference->target);
}

Result<Layout> layout_of(const MountOptions& options) {
  if (!options.layout || *options.layout == "run") return Layout::by_run;
  if (*options.layout == "dstack") return Layout::dstack;
  return fail(ErrorKind::invalid, fmt::format("--layout: expected run or dstack, not '{}'", *options.layout));
}

Status check(const MountOptions& options) {
  if (options.all && options.directory)
    return fail(ErrorKind::invalid, "--all shows all runs: name only the directory");
  if (!options.all && !options.directory)
    return fail(ErrorKind::invalid, "a run or tag and a directory were expected, or --all and a directory");
  if (options.all && options.remote) return fail(ErrorKind::invalid, "--all shows this machine's runs, not a remote's");
  if (!options.all && options.layout) return fail(ErrorKind::invalid, "--layout is for --all");
  return {};
}

Result<int> mount(Context& context, const MountOptions& options) {
  KIST_TRY(check(options));
  KIST_TRY_ASSIGN(const Layout layout, layout_of(options));
  KIST_TRY_ASSIGN(const auto directory, mount::resolve(options.all ? options.subject : *options.directory));
  if (!options.foreground) {
    KIST_TRY_ASSIGN(const auto code, split_off());
    if (code) return *code;
  }
  std::optional<OpenRemote> remote;
  model::RunRecord run;
  if (options.remote) {
    KIST_TRY_ASSIGN(remote, open_remote(context.house, options.remote));
    KIST_TRY_ASSIGN(run, record_on(*remote, options.subject));
  } else if (!options.all) {
    KIST_TRY_ASSIGN(run, find_record(context.house, options.subject));
  }
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  // As long as it lives, what is shown is not collected. A mount of all runs shows what there is, and holds nothing.
  std::unique_ptr<store::Transaction> lease;
  if (!options.all) {
    KIST_TRY_ASSIGN(lease, store->begin());
  }
  KIST_TRY_ASSIGN(const auto files,
                  mount::Files::make(remote ? remote->store->source() : store->chunks(), shown_of(run),
                                     options.all              ? now()
                                     : run.finished == Time{} ? run.created
                                                              : run.finished));
  AllRuns runs(context.house, layout);
  if (options.all) {
    KIST_TRY(runs.refresh(*files));
    files->before_looking([&] { runs.refresh_if_due(*files); });
  }
  KIST_TRY(mount::prepare(directory));

  std::atomic<unsigned> complaints = 0;
  mount::ServeOptions serving;
  const std::string what = options.all ? "all" : run.name;
  serving.source = fmt::format("kist:{}", what);
  serving.changing = options.all;
  serving.allow_other = options.allow_other;
  serving.ready = [&] {
    if (options.foreground) {
      context.tell(fmt::format("{} is at {}. Ctrl+C ends it", what, directory.string()));
      return;
    }
    // It stands: whoever waits for it can go on. The directory it was started in may be removed.
    announce(directory.string(), home->path() / "mounts.log");
    (void)chdir("/");
  };
  serving.failed = [&](const Error& error) {
    if (complaints.fetch_add(1) < kMostComplaints)
      fmt::print(stderr, "{} {}: {}\n", to_rfc3339(now()), directory.string(), error.text);
  };
  KIST_TRY(mount::serve(*files, directory, serving));
  return 0;
}

struct UnmountOptions {
  std::string directory;
  bool lazy = false;
};

Result<int> unmount(Context& context, const UnmountOptions& options) {
  KIST_TRY_ASSIGN(const auto directory, mount::resolve(options.directory));
  KIST_TRY(mount::unmount(directory, options.lazy));
  context.tell(fmt::format("{} is unmounted", directory.string()));
  return 0;
}

}  // namespace

void declare_mount(Arguments& arguments, Context& context) {
  auto options = std::make_shared<MountOptions>();
  arguments.flag("-f,--foreground", options->foreground, "Stay; Ctrl+C ends the mount");
  arguments.option("--remote", "NAME", options->remote, "A run of this remote: what is read is fetched, and no more",
                   Completes::remote);
  arguments.flag("--allow-other", options->allow_other,
                 "Other users may look into it too (an ordinary user needs user_allow_other in /etc/fuse.conf)");
  arguments.flag("--all", options->all,
                 "The artifacts of all finished runs, as they come and go: `kist mount --all DIR`");
  arguments.option("--layout", "LAYOUT", options->layout,
                   "With --all: run (RUN/ADDRESS) or dstack (PROJECT/JOB/PATH, as dstack kept them)");
  arguments.positional("RUN|:TAG", options->subject, "Whose artifacts", Completes::run_or_tag);
  arguments.positional("DIR", options->directory, "Where to: an empty directory, made where it is missing",
                       Completes::directory);
  arguments.action([&context, options] { return mount(context, *options); });
}

void declare_unmount(Arguments& arguments, Context& context) {
  auto options = std::make_shared<UnmountOptions>();
  arguments.flag("-l,--lazy", options->lazy, "Also while programs use it");
  arguments.positional("DIR", options->directory, "Where it is mounted", Completes::directory);
  arguments.action([&context, options] { return unmount(context, *options); });
}

}  // namespace kist::cli
