// Git repositories, by the `git` program.
//
// A clone takes everything from a mirror of the repository in the cache, which asks the repository only for what is new
// there: so a second clone is fast, and who may not read the repository does not read its mirror either, as it is asked
// each time. Tasks that want the same mirror take turns. Where only the last commits are wanted (`depth`), there is no
// mirror, which would fetch them all.
//
// git sees no configuration but what is given here, asks nobody, and learns a password from its environment only.
#include <algorithm>
#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "base/utf8.hpp"
#include "location/address.hpp"
#include "location/driver.hpp"
#include "location/fields.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kHeads = "+refs/heads/*:refs/remotes/origin/*";
constexpr std::string_view kTags = "+refs/tags/*:refs/tags/*";
constexpr std::string_view kCredentialHelper =
    "!f() { test \"$1\" = get && echo \"username=$KIST_GIT_USER\" && echo \"password=$KIST_GIT_PASSWORD\"; }; f";

struct GitPlan {
  std::string url;     // as git is told
  std::string shown;   // as the file writes it, without a user's password
  std::string origin;  // of a web address: "https://host"
  bool is_local = false;
  std::string revision;
  std::string branch;
  bool single_branch = false;
  bool submodules = true;
  std::optional<int> depth;
  Words refspecs;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::optional<std::string> ssh_key;
  bool any_host_key = false;
  bool any_certificate = false;
};

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.contains(word); });
}

ErrorKind kind_of(std::string_view said) {
  if (mentions(said, {"Authentication failed", "could not read Username", "could not read Password",
                      "Permission denied", "Host key verification failed", "error: 403"}))
    return ErrorKind::denied;
  if (mentions(said, {"Could not resolve host", "Failed to connect", "Connection refused", "Connection timed out",
                      "Connection reset", "Operation timed out", "Operation too slow", "early EOF",
                      "The requested URL returned error: 5", "unexpected disconnect", "Connection closed by"}))
    return ErrorKind::unavailable;
  if (mentions(said, {"No space left"})) return ErrorKind::no_space;
  return ErrorKind::invalid;
}

// What git said is wrong: its last words that say it is.
std::string reason(std::string_view said) {
  std::string found;
  for (std::size_t at = 0; at < said.size();) {
    const auto end = std::min(said.find('\n', at), said.size());
    const std::string_view line = said.substr(at, end - at);
    if (found.empty() && (line.starts_with("fatal: ") || line.starts_with("error: "))) found = line.substr(7);
    if (line.contains("Permission denied") || line.contains("Host key verification failed")) {
      found = line;
      break;
    }
    at = end + 1;
  }
  return printable(found.empty() ? last_line(said) : found);
}

class GitDriver final : public Driver {
 public:
  GitDriver(GitPlan plan, const Context& context) : plan_(std::move(plan)), context_(context) {}

  const std::string& address() const override { return plan_.shown; }

  Status fetch(const fs::path& target) override {
    KIST_TRY_ASSIGN(auto scratch, ScratchDirectory::make(context_.scratch, "git-"));
    scratch_ = scratch.path();
    KIST_TRY(prepare_environment());
    KIST_TRY_ASSIGN(const std::string head, ask_head());
    KIST_TRY(git({"init", "--quiet", "--template=", "--", target.string()}));
    KIST_TRY(git_in(target, {"remote", "add", "--", "origin", plan_.shown}));
    if (empty_) return {};
    KIST_TRY(bring_objects(target));
    for (const std::string& refspec : plan_.refspecs) KIST_TRY(fetch_remote(target, {refspec}));
    KIST_TRY(check_out(target, head));
    if (!plan_.submodules || !fs::exists(target / ".gitmodules")) return {};
    return git_in(target, {"submodule", "--quiet", "update", "--init", "--recursive"}, true);
  }

  Result<std::unique_ptr<Upload>> upload(const Attributes&, std::uint64_t) override { return cannot_send(); }
  Status send_directory(const Artifact&) override { return cannot_send(); }
  Result<std::vector<std::string>> list() override {
    return fail(ErrorKind::unsupported, fmt::format("{} is a git repository: it cannot be listed", plan_.shown));
  }
  Status remove_object() override { return cannot_send(); }
  Status remove_directory(const Artifact&) override { return cannot_send(); }

 private:
  std::unexpected<Error> cannot_send() const {
    return fail(ErrorKind::unsupported, fmt::format("{} is a git repository: nothing is sent there", plan_.shown));
  }

  Status prepare_environment() {
    environment_ = {"HOME=" + scratch_.string(),
                    "GIT_CONFIG_NOSYSTEM=1",
                    "GIT_CONFIG_GLOBAL=/dev/null",
                    "GIT_TERMINAL_PROMPT=0",
                    "GIT_ASKPASS=/bin/false",
                    "SSH_ASKPASS_REQUIRE=never",
                    "LC_ALL=C.UTF-8",
                    "GIT_LFS_SKIP_SMUDGE=1"};
    for (const char* name : {"PATH", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy",
                             "NO_PROXY", "ALL_PROXY", "all_proxy", "GIT_SSL_CAINFO", "SSL_CERT_FILE"})
      if (const char* value = std::getenv(name)) environment_.push_back(fmt::format("{}={}", name, value));
    std::string ssh = fmt::format(
        "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout={} -o ServerAliveInterval={} -o ServerAliveCountMax=1",
        std::max<std::int64_t>(1, context_.connect_timeout.count() / 1000), context_.idle_timeout.count());
    ssh += plan_.any_host_key ? " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
                              : " -o StrictHostKeyChecking=yes";
    if (plan_.ssh_key) {
      const fs::path key = scratch_ / "key";
      KIST_TRY_ASSIGN(const FileDescriptor file, open_file(key, O_WRONLY | O_CREAT | O_EXCL, 0600));
      KIST_TRY(write_all(file.get(), *plan_.ssh_key + (plan_.ssh_key->ends_with('\n') ? "" : "\n"), key.string()));
      // The scratch directory's name may hold anything; ssh's words are split by a shell.
      environment_.push_back("KIST_GIT_KEY=" + key.string());
      ssh += " -o IdentitiesOnly=yes -i \"$KIST_GIT_KEY\"";
    }
    environment_.push_back("GIT_SSH_COMMAND=" + ssh);
    configuration_ = {
        "-c", "http.lowSpeedLimit=1",      "-c", fmt::format("http.lowSpeedTime={}", context_.idle_timeout.count()),
        "-c", "advice.detachedHead=false", "-c", "gc.auto=0",
        "-c", "core.hooksPath=/dev/null",  "-c", "safe.directory=*"};
    if (plan_.any_certificate) configuration_.insert(configuration_.end(), {"-c", "http.sslVerify=false"});
    if (!plan_.origin.empty() && (plan_.user || plan_.password)) {
      environment_.push_back("KIST_GIT_USER=" + plan_.user.value_or("git"));
      environment_.push_back("KIST_GIT_PASSWORD=" + plan_.password.value_or(""));
      configuration_.insert(configuration_.end(),
                            {"-c", fmt::format("credential.{}.helper={}", plan_.origin, kCredentialHelper)});
    }
    return {};
  }

  // Errors: of git, by what it said. `submodules`: their addresses come from the repository, not from the user.
  Result<ProcessResult> run(Words words, bool submodules = false) const {
    ProcessRequest request;
    request.arguments = {"git"};
    request.arguments.insert(request.arguments.end(), configuration_.begin(), configuration_.end());
    request.arguments.insert(request.arguments.end(), std::make_move_iterator(words.begin()),
                             std::make_move_iterator(words.end()));
    request.environment = environment_;
    const bool files = !submodules || plan_.is_local;
    request.environment->emplace_back(files ? "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh"
                                            : "GIT_ALLOW_PROTOCOL=git:http:https:ssh");
    request.directory = scratch_;
    request.cancelled = context_.cancelled;
    auto done = run_process(request);
    if (!done && done.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::unavailable, fmt::format("cannot load {}: the program git is not installed", plan_.shown));
    if (!done) return kist::with_context(fmt::format("cannot load {}", plan_.shown), std::move(done).error());
    return done;
  }
  std::unexpected<Error> failed(const ProcessResult& done) const {
    return fail(kind_of(done.error_output), fmt::format("cannot load {}: {}", plan_.shown, reason(done.error_output)));
  }
  Status git(Words words, bool submodules = false) const {
    KIST_TRY_ASSIGN(const auto done, run(std::move(words), submodules));
    return done.exit_code == 0 ? Status() : failed(done);
  }
  Status git_in(const fs::path& repository, Words words, bool submodules = false) const {
    words.insert(words.begin(), {"-C", repository.string()});
    return git(std::move(words), submodules);
  }
  // What fails for a while only is tried again.
  Status patiently(const std::function<Status()>& ask) const {
    net::RetrySettings settings = context_.retry;
    settings.cancelled = context_.cancelled;
    net::Retry retry(settings);
    for (;;) {
      Status asked = ask();
      if (asked || asked.error().kind != ErrorKind::unavailable || !retry.again(false)) return asked;
    }
  }

  // What HEAD is there: "refs/heads/main", or a commit.
  Result<std::string> ask_head() {
    ProcessResult done;
    KIST_TRY(patiently([&]() -> Status {
      KIST_TRY_ASSIGN(done, run({"ls-remote", "--quiet", "--symref", "--", plan_.url}));
      return done.exit_code == 0 ? Status() : failed(done);
    }));
    std::string head;
    empty_ = true;
    for (std::size_t at = 0; at < done.output.size();) {
      const auto end = std::min(done.output.find('\n', at), done.output.size());
      const std::string_view line = std::string_view(done.output).substr(at, end - at);
      at = end + 1;
      const auto tab = line.find('\t');
      if (tab == std::string_view::npos) continue;
      const std::string_view name = line.substr(tab + 1);
      empty_ = empty_ && line.starts_with("ref: ");
      if (name == "HEAD" && head.empty())
        head = line.starts_with("ref: ") ? line.substr(5, tab - 5) : line.substr(0, tab);
    }
    return head;
  }

  Words refspecs() const {
    if (plan_.single_branch) return {fmt::format("+refs/heads/{0}:refs/remotes/origin/{0}", plan_.branch)};
    return {std::string(kHeads), std::string(kTags)};
  }

  Status fetch_remote(const fs::path& repository, const Words& refspecs) const {
    Words words{"-C", repository.string(), "fetch", "--quiet", "--no-write-fetch-head"};
    if (plan_.depth) words.push_back(fmt::format("--depth={}", *plan_.depth));
    words.insert(words.end(), {"--", plan_.url});
    words.insert(words.end(), refspecs.begin(), refspecs.end());
    return patiently([&] { return git(words); });
  }

  Status bring_objects(const fs::path& target) const {
    if (plan_.depth || plan_.is_local) return fetch_remote(target, refspecs());
    const fs::path mirrors = context_.cache / "git";
    std::error_code error;
    fs::create_directories(mirrors, error);
    if (error) return fail_errno(fmt::format("cannot make {}", mirrors.string()), error.value());
    const fs::path mirror = mirrors / sha256(plan_.url).hex();
    KIST_TRY_ASSIGN(const auto lock, FileLock::lock(mirror.string() + ".lock", FileLock::Kind::exclusive));
    auto brought = bring_by(mirror, target);
    if (brought || brought.error().kind != ErrorKind::invalid) return brought;
    // It may have been left damaged.
    KIST_TRY(remove_tree(mirror));
    return bring_by(mirror, target);
  }

  Status bring_by(const fs::path& mirror, const fs::path& target) const {
    if (!fs::exists(mirror / "HEAD"))
      KIST_TRY(git({"init", "--quiet", "--bare", "--template=", "--", mirror.string()}));
    KIST_TRY(patiently([&] {
      return git({"-C", mirror.string(), "fetch", "--quiet", "--no-write-fetch-head", "--prune", "--", plan_.url,
                  "+refs/heads/*:refs/heads/*", std::string(kTags)});
    }));
    Words words{"-C", target.string(), "fetch", "--quiet", "--no-write-fetch-head", "--", mirror.string()};
    for (std::string& refspec : refspecs()) words.push_back(std::move(refspec));
    return git(std::move(words));
  }

  // Empty where there is no such commit.
  Result<std::string> find(const fs::path& target, const std::string& name) const {
    KIST_TRY_ASSIGN(const auto done, run({"-C", target.string(), "rev-parse", "--quiet", "--verify", "--end-of-options",
                                          name + "^{commit}"}));
    return done.exit_code == 0 ? last_line(done.output) : std::string();
  }

  Result<std::string> find_revision(const fs::path& target) const {
    for (const char* prefix : {"refs/remotes/origin/", "refs/tags/", ""}) {
      KIST_TRY_ASSIGN(std::string commit, find(target, prefix + plan_.revision));
      if (!commit.empty()) return commit;
    }
    return std::string();
  }

  Status check_out(const fs::path& target, const std::string& head) const {
    if (plan_.revision.empty()) {
      std::string branch = plan_.branch;
      if (branch.empty() && head.starts_with("refs/heads/")) branch = head.substr(11);
      if (!branch.empty()) {
        KIST_TRY_ASSIGN(const std::string commit, find(target, "refs/remotes/origin/" + branch));
        if (commit.empty()) return no_such("branch", branch);
        KIST_TRY(git_in(target, {"symbolic-ref", "HEAD", "refs/heads/" + branch}));
        return git_in(target, {"reset", "--quiet", "--hard", commit, "--"});
      }
      if (head.empty())
        return fail(ErrorKind::invalid,
                    fmt::format("{} does not say what to check out: name a branch or a revision", plan_.shown));
      return git_in(target, {"checkout", "--quiet", "--detach", head, "--"});
    }
    KIST_TRY_ASSIGN(std::string commit, find_revision(target));
    if (commit.empty() && plan_.single_branch) {
      KIST_TRY(fetch_remote(target, {std::string(kHeads), std::string(kTags)}));
      KIST_TRY_ASSIGN(commit, find_revision(target));
    }
    if (commit.empty()) {
      // What no branch or tag leads to, or lies deeper than was fetched: by its own name, if the server gives it.
      auto fetched = fetch_remote(target, {plan_.revision + ":refs/kist/revision"});
      if (!fetched && fetched.error().kind != ErrorKind::invalid) return fetched;
      if (fetched) {
        KIST_TRY_ASSIGN(commit, find(target, "refs/kist/revision"));
        KIST_TRY(git_in(target, {"update-ref", "-d", "refs/kist/revision"}));
      }
    }
    if (commit.empty()) return no_such("branch, tag or commit", plan_.revision);
    return git_in(target, {"checkout", "--quiet", "--detach", commit, "--"});
  }

  std::unexpected<Error> no_such(std::string_view what, std::string_view name) const {
    return fail(ErrorKind::invalid, fmt::format("there is no {} '{}' in {}", what, printable(name), plan_.shown));
  }

  const GitPlan plan_;
  const Context& context_;
  fs::path scratch_;
  Words environment_;
  Words configuration_;
  bool empty_ = false;
};

// "user@host:path", which is no address but means one.
bool is_scp_like(std::string_view repo) {
  const auto colon = repo.find(':');
  return colon != std::string_view::npos && !repo.contains("://") &&
         repo.substr(0, colon).find('/') == std::string_view::npos;
}

Status set_url(GitPlan& plan, const std::string& repo, const Context& context) {
  // "EXT::…" would start a program of its own.
  if (repo.starts_with('-') || repo.contains("::"))
    return fail(ErrorKind::invalid, fmt::format("git: '{}' is no address of a repository", printable(repo)));
  plan.url = plan.shown = repo;
  if (repo.starts_with("http://") || repo.starts_with("https://")) {
    KIST_TRY_ASSIGN(auto address, parse_web_address(repo));
    if (address.has_user) {
      plan.user = address.user;
      if (!address.password.empty()) plan.password = address.password;
    }
    plan.shown = address.origin() + address.rest;
    if (const auto instead = mapped(context.endpoints, address.authority)) {
      plan.url = *instead + address.rest;
      if (instead->starts_with("http")) {
        KIST_TRY_ASSIGN(address, parse_web_address(plan.url));
      } else {
        address = {};
      }
    } else {
      plan.url = plan.shown;
    }
    if (!address.scheme.empty()) plan.origin = address.origin();
  } else if (repo.starts_with("ssh://") || is_scp_like(repo)) {
    const bool scp = !repo.starts_with("ssh://");
    std::string_view rest = std::string_view(repo).substr(scp ? 0 : 6);
    const auto end = rest.find(scp ? ':' : '/');
    std::string authority(rest.substr(0, end));
    const std::string path(end == std::string_view::npos ? std::string_view() : rest.substr(end + 1));
    std::string user = "git";
    if (const auto at = authority.rfind('@'); at != std::string::npos) {
      user = authority.substr(0, at);
      authority = authority.substr(at + 1);
    }
    if (user.contains(':') || authority.starts_with('-') || user.starts_with('-'))
      return fail(ErrorKind::invalid, fmt::format("git: '{}' is no address of a repository", printable(authority)));
    const auto instead = mapped(context.endpoints, authority);
    if (instead && !instead->contains('@') && instead->starts_with("ssh://"))
      plan.url = fmt::format("ssh://{}@{}/{}", user, instead->substr(6), path);
    else if (instead)
      plan.url = fmt::format("{}/{}", *instead, path);
    else if (scp)
      plan.url = fmt::format("{}@{}:{}", user, authority, path);
    else
      plan.url = fmt::format("ssh://{}@{}/{}", user, authority, path);
  }
  plan.is_local = plan.url.starts_with("file://") || plan.url.starts_with('/');
  return {};
}

}  // namespace

MadeDriver make_git(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  GitPlan plan;
  KIST_TRY_ASSIGN(const std::string repo, fields.required("repo"));
  KIST_TRY(set_url(plan, repo, context));
  plan.revision = fields.text("revision");
  plan.branch = fields.text("branch");
  KIST_TRY_ASSIGN(plan.single_branch, fields.flag("singleBranch"));
  if (plan.single_branch && plan.branch.empty()) return fail(ErrorKind::invalid, "git: 'singleBranch' needs 'branch'");
  KIST_TRY_ASSIGN(const bool no_submodules, fields.flag("disableSubmodules"));
  plan.submodules = !no_submodules;
  KIST_TRY_ASSIGN(plan.depth, fields.number("depth"));
  if (plan.depth == 0) plan.depth.reset();
  plan.refspecs = fields.texts("fetch");
  Words named = plan.refspecs;
  named.insert(named.end(), {plan.revision, plan.branch});
  for (const std::string& name : named)
    if (name.starts_with('-'))
      return fail(ErrorKind::invalid, fmt::format("git: '{}' can be no name in a repository", printable(name)));
  KIST_TRY_ASSIGN(auto user, fields.secret("usernameSecret"));
  KIST_TRY_ASSIGN(auto password, fields.secret("passwordSecret"));
  if (user) plan.user = std::move(user);
  if (password) plan.password = std::move(password);
  KIST_TRY_ASSIGN(plan.ssh_key, fields.secret("sshPrivateKeySecret"));
  KIST_TRY_ASSIGN(plan.any_host_key, fields.flag("insecureIgnoreHostKey"));
  KIST_TRY_ASSIGN(plan.any_certificate, fields.flag("insecureSkipTLS"));
  return std::make_unique<GitDriver>(std::move(plan), context);
}

}  // namespace kist::location
