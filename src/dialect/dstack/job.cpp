// The keys are the union of what the versions 0.0.10 to 0.9.2 accepted. A key that only an older or later version had
// is read as that version did; where two versions differ the later one counts.
#include "dialect/dstack/job.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/words.hpp"

namespace kist::dialect::dstack {
namespace {

using model::Field;

constexpr std::string_view kResources[] = {"cpu", "memory", "gpu", "shm_size", "interruptible", "remote"};

// Flags that ask for something of the machine or the network: known, so that they are not taken for arguments.
constexpr std::string_view kLaterFlags[] = {"interruptible", "cpu",      "memory", "gpu", "gpu-name",
                                            "gpu-memory",    "shm-size", "ports",  "ssh"};

// "WORKFLOW", ":TAG" or ":REMOTE/TAG".
Result<model::RunArtifacts> parse_dep(std::string_view written) {
  using By = model::RunArtifacts::By;
  bool tag = written.starts_with(':');
  std::string_view name = tag ? written.substr(1) : written;
  if (std::ranges::count(name, '/') == 2)
    return fail(ErrorKind::unsupported, fmt::format("artifacts of another repository: {}", written));
  const auto slash = name.find('/');
  const bool of_remote = tag && slash != std::string_view::npos && slash > 0 && slash + 1 < name.size();
  if (name.empty() || name.contains(':') || (slash != std::string_view::npos && !of_remote))
    return fail(
        ErrorKind::invalid,
        fmt::format("'{}' is no dep: expected a workflow's name, or a colon and a tag (:TAG, :REMOTE/TAG)", written));
  return model::RunArtifacts{tag ? By::tag : By::workflow, std::string(name)};
}

class JobReader {
 public:
  JobReader(const Entry& entry, const model::RunRequest& request, model::Notices& notices)
      : entry_(entry),
        request_(request),
        notices_(notices),
        reader_(entry.origin.file, notices),
        arguments_(join_arguments(request.arguments)) {}

  Job read() {
    if (!provider()) return {};  // another provider's keys mean other things
    using enum Field::Kind;
    auto key = [this](std::string_view name, void (JobReader::*member)(const yaml::Node&)) {
      return Field{.key = name, .read = [this, member](const yaml::Node& node) { (this->*member)(node); }};
    };
    reader_.mapping(*entry_.node, "a workflow",
                    {{.key = "name", .kind = accepted},
                     {.key = "help", .kind = accepted},
                     {.key = "provider", .kind = accepted},
                     key("commands", &JobReader::commands),
                     key("before_run", &JobReader::before_run),
                     key("requirements", &JobReader::requirements),
                     key("artifacts", &JobReader::artifacts),
                     key("deps", &JobReader::deps),
                     key("env", &JobReader::environment),
                     key("working_dir", &JobReader::working_directory),
                     key("image", &JobReader::image),
                     key("entrypoint", &JobReader::entrypoint),
                     key("resources", &JobReader::resources),
                     {.key = "python", .kind = later, .remark = "this machine's Python is used"},
                     {.key = "ports", .kind = later, .remark = "no port is reserved, $PORT_0 … are not set"},
                     {.key = "ssh", .kind = later, .remark = "the task runs on this machine"},
                     {.key = "cache", .kind = later, .remark = "nothing is kept from run to run"},
                     {.key = "registry_auth", .kind = later, .remark = "images are not pulled"},
                     {.key = "home_dir", .kind = later, .remark = "~ is the home of the user who runs it"},
                     {.key = "version", .kind = later},
                     {.key = "setup", .kind = refused, .remark = "write its lines first in `commands`"},
                     {.key = "depends-on", .kind = refused, .remark = "write `deps`"}});
    flags();
    add_requirements();
    check();
    return std::move(job_);
  }

 private:
  Parts fill(const yaml::Node& node) { return interpolate(node.text, arguments_, reader_.at(node), notices_); }

  // A text that must be known before the run has its name.
  std::optional<std::string> known(const yaml::Node& node, std::string_view name) {
    if (!reader_.text(node, name)) return std::nullopt;
    Parts parts = fill(node);
    if (!is_late(parts)) return source(parts);
    reader_.refuse(node, fmt::format("${{{{ run.name }}}} in {}", name));
    return std::nullopt;
  }

  // The items of a list that is a list.
  std::span<const yaml::Node> items(const yaml::Node& node, std::string_view name, std::string_view what) {
    if (node.is_sequence()) return node.items;
    reader_.fail(node, fmt::format("{}: expected a list of {}, not {}", name, what, model::describe(node)));
    return {};
  }

  // Whether it is one that kist has.
  bool provider() {
    const yaml::Node* node = entry_.node->find("provider");
    if (node == nullptr || node->is_null()) {
      reader_.fail(*entry_.node,
                   fmt::format("the workflow '{}' has no `provider`: expected bash or docker", entry_.name));
      return false;
    }
    auto name = known(*node, "provider");
    if (!name) return false;
    if (*name == "docker") job_.provider = Job::Provider::docker;
    if (*name == "bash" || *name == "docker") return true;
    if (*name == "python")
      reader_.fail(*node,
                   "the provider 'python' is of dstack's time before 0.0.7; write `provider: bash` and the "
                   "program's line in `commands`: python FILE");
    else
      reader_.refuse(*node, fmt::format("provider: {}", *name), "bash and docker are");
    return false;
  }

  void commands(const yaml::Node& node) {
    job_.commands_origin = reader_.at(node);
    if (!node.is_scalar()) return add_commands(node, "commands", job_.commands);
    if (!reader_.text(node, "commands")) return;
    Parts lines = fill(node);
    if (!is_nothing(lines)) job_.commands.push_back(lines_as_command(lines));
  }

  void before_run(const yaml::Node& node) { add_commands(node, "before_run", before_); }

  void add_commands(const yaml::Node& node, std::string_view name, std::vector<Parts>& commands) {
    wrong_commands_ = wrong_commands_ || !node.is_sequence();
    for (const yaml::Node& item : items(node, name, "commands")) {
      if (item.is_null()) continue;
      if (item.is_scalar() && reader_.text(item, name)) {
        commands.push_back(fill(item));
        continue;
      }
      wrong_commands_ = true;
      if (item.is_mapping())
        reader_.fail(item, fmt::format("{}: expected a command, not a mapping; put the line in quotes where it has ': '"
                                       " in it",
                                       name));
      else if (!item.is_scalar())
        reader_.fail(item, fmt::format("{}: expected a command, not {}", name, model::describe(item)));
    }
  }

  void requirements(const yaml::Node& node) {
    if (auto file = known(node, "requirements")) requirements_ = std::move(*file);
  }

  // pip comes first, then before_run, then the commands.
  void add_requirements() {
    if (!requirements_.empty()) before_.insert(before_.begin(), {{"pip install -r " + quote_word(requirements_)}});
    job_.commands.insert(job_.commands.begin(), before_.begin(), before_.end());
  }

  void artifacts(const yaml::Node& node) {
    for (const yaml::Node& item : items(node, "artifacts", "paths")) {
      if (item.is_scalar()) {
        if (auto path = known(item, "artifacts")) add_artifact(*path, false, reader_.at(item));
        continue;
      }
      std::optional<std::string> path;
      bool mount = false;
      bool read = reader_.mapping(
          item, "an artifact",
          {{.key = "path", .read = [&](const yaml::Node& value) { path = known(value, "path"); }},
           {.key = "mount",
            .read = [&](const yaml::Node& value) { mount = reader_.boolean(value, "mount").value_or(false); }}});
      if (path)
        add_artifact(*path, mount, reader_.at(item));
      else if (const yaml::Node* written = item.find("path"); read && (written == nullptr || written->is_null()))
        reader_.fail(item, "this artifact has no `path`");
    }
  }

  void add_artifact(std::string_view written, bool mount, model::Origin origin) {
    auto path = artifact_path(written);
    if (!path) return notices_.fail(std::move(origin), path.error().text);
    auto [same, is_new] = artifacts_.emplace(path->name, job_.artifacts.size());
    if (is_new) {
      job_.artifacts.push_back({std::move(*path), mount, std::move(origin)});
      return;
    }
    Artifact& other = job_.artifacts[same->second];
    if (other.path.path == path->path)
      other.mount = other.mount || mount;
    else
      notices_.fail(std::move(origin), fmt::format("the artifacts '{}' and '{}' would both be called '{}'",
                                                   other.path.path, path->path, path->name));
  }

  void deps(const yaml::Node& node) {
    for (const yaml::Node& item : items(node, "deps", "workflows and tags")) {
      if (item.is_scalar()) {
        if (auto written = known(item, "deps")) add_dep(*written, reader_.at(item));
        continue;
      }
      int named = 0;
      auto take = [&](std::string_view prefix) {
        return [this, &named, prefix](const yaml::Node& value) {
          ++named;
          if (auto name = known(value, prefix.empty() ? "workflow" : "tag"))
            add_dep(std::string(prefix) + *name, reader_.at(value));
        };
      };
      if (reader_.mapping(item, "a dep",
                          {{.key = "workflow", .read = take("")},
                           {.key = "tag", .read = take(":")},
                           {.key = "mount", .kind = Field::Kind::accepted}}) &&  // inputs are always mounted
          named != 1)
        reader_.fail(item, "a dep names either a `workflow` or a `tag`");
    }
  }

  void add_dep(std::string_view written, model::Origin origin) {
    auto run = parse_dep(written);
    if (run)
      job_.deps.push_back({std::move(*run), std::move(origin)});
    else if (run.error().kind == ErrorKind::unsupported)
      notices_.unsupported(model::Notice::Level::error, std::move(origin), run.error().text);
    else
      notices_.fail(std::move(origin), run.error().text);
  }

  void environment(const yaml::Node& node) {
    for (const yaml::Node& item : items(node, "env", "NAME=VALUE")) {
      if (!reader_.text(item, "env", "NAME=VALUE")) continue;
      Parts value = fill(item);
      std::string written = source(value);
      std::size_t equals = written.find('=');
      std::string name = written.substr(0, equals);
      if (!is_variable_name(name)) {
        reader_.fail(item,
                     fmt::format("env: '{}' cannot be the name of a variable: expected letters, digits and _", name));
        continue;
      }
      if (equals == std::string::npos) {
        job_.environment.push_back({std::move(name), std::nullopt});
        continue;
      }
      // A name has no `$`, so it lies wholly within the first piece.
      std::get<std::string>(value.front().value).erase(0, equals + 1);
      job_.environment.push_back({std::move(name), std::move(value)});
    }
  }

  void working_directory(const yaml::Node& node) {
    if (auto written = known(node, "working_dir")) set_working_directory(*written, reader_.at(node));
  }

  void set_working_directory(std::string_view written, model::Origin origin) {
    auto directory = dstack::working_directory(written);
    if (directory)
      job_.working_directory = std::move(*directory);
    else
      notices_.fail(std::move(origin), directory.error().text);
  }

  void image(const yaml::Node& node) {
    if (reader_.text(node, "image")) job_.image = fill(node);
  }

  void entrypoint(const yaml::Node& node) {
    auto written = known(node, "entrypoint");
    if (!written) return;
    if (auto words = split_words(*written))
      job_.entrypoint = std::move(*words);
    else
      reader_.fail(node, fmt::format("entrypoint: {}", words.error().text));
  }

  void resources(const yaml::Node& node) {
    reader_.mapping(node, "resources", std::span<const Field>(), [&](const yaml::Node& key, const yaml::Node&) {
      if (key.text == "local") return;  // it always is
      if (std::ranges::find(kResources, key.text) != std::end(kResources) || key.text.ends_with("/gpu"))
        reader_.later(key, fmt::format("resources: {}", key.text), "the task has what this machine has");
      else
        reader_.warn(key, fmt::format("unknown key '{}' in resources: it is ignored", key.text));
    });
  }

  // A flag given at all replaces the file's list.
  void flags() {
    bool artifacts = false;
    bool deps = false;
    for (const auto& [name, value] : request_.options) {
      model::Origin origin{.file = "--" + name};
      if (name == "artifact") {
        if (!std::exchange(artifacts, true)) {
          job_.artifacts.clear();
          artifacts_.clear();
        }
        add_artifact(value, false, std::move(origin));
      } else if (name == "dep") {
        if (!std::exchange(deps, true)) job_.deps.clear();
        add_dep(value, std::move(origin));
      } else if (name == "working-dir") {
        set_working_directory(value, std::move(origin));
      } else if (name == "requirements") {
        requirements_ = value;
      } else if (std::ranges::find(kLaterFlags, name) != std::end(kLaterFlags)) {
        notices_.unsupported(model::Notice::Level::warning, {}, "--" + name);
      }
    }
    for (const auto& [name, value] : request_.environment)
      job_.environment.push_back({.name = name, .value = Parts{{value}}, .exact = true});
  }

  bool is_given(std::string_view key) const {
    const yaml::Node* node = entry_.node->find(key);
    return node != nullptr && !node->is_null() && !(node->is_scalar() && node->text.empty());
  }

  // What belongs together.
  void check() {
    bool docker = job_.provider == Job::Provider::docker;
    if (docker && !is_given("image")) reader_.fail(*entry_.node, "the provider docker needs an `image`");
    if (!docker && entry_.node->find("image") != nullptr)
      reader_.warn(*entry_.node->find("image"), "image: only the provider docker has one: it is ignored");
    if (!docker && !job_.entrypoint.empty()) {
      reader_.warn(*entry_.node->find("entrypoint"), "entrypoint: only the provider docker has one: it is ignored");
      job_.entrypoint.clear();
    }
    if (wrong_commands_) return;  // which says enough
    bool nothing = std::ranges::all_of(job_.commands, is_nothing);
    if (nothing && docker && job_.entrypoint.empty())
      reader_.refuse(*entry_.node, "the provider docker without `commands`", "the image's own program is not known");
    else if (nothing && !docker)
      reader_.fail(*entry_.node, fmt::format("the workflow '{}' has no `commands`", entry_.name));
  }

  const Entry& entry_;
  const model::RunRequest& request_;
  model::Notices& notices_;
  model::Reader reader_;
  std::string arguments_;
  Job job_;
  std::map<std::string, std::size_t> artifacts_;  // places in the job's, by name
  std::vector<Parts> before_;
  bool wrong_commands_ = false;  // something of them is no command, which was said
  std::string requirements_;
};

}  // namespace

Job read_job(const Entry& entry, const model::RunRequest& request, model::Notices& notices) {
  return JobReader(entry, request, notices).read();
}

std::vector<model::Dialect::Flag> run_flags() {
  return {
      {"artifact", "a", "a directory to keep, instead of the file's artifacts; may be repeated"},
      {"dep", "", "a workflow or :TAG whose artifacts to bring, instead of the file's deps; may be repeated"},
      {"working-dir", "w", "the directory below the project to run in"},
      {"requirements", "r", "a file of Python packages to install first"},
      {"interruptible", "i", "not supported yet", false},
      {"local", "l", "accepted: it is always local", false},
      {"cpu", "", "not supported yet"},
      {"memory", "", "not supported yet"},
      {"gpu", "", "not supported yet"},
      {"gpu-name", "", "not supported yet"},
      {"gpu-memory", "", "not supported yet"},
      {"shm-size", "", "not supported yet"},
      {"ports", "", "not supported yet"},
      {"ssh", "", "not supported yet", false},
  };
}

}  // namespace kist::dialect::dstack
