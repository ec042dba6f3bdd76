// A job runs on this machine whatever its executor says: an image is a hint of which programs it expects. It begins in
// an empty working directory; `checkout` fills it. All bash steps read one file first ($BASH_ENV), so that a step can
// set variables for later ones.
//
// Environment, the later winning: the container's, CircleCI's own, the job's, the caller's (-e), the step's.
#include "dialect/circleci/job.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "dialect/circleci/environment.hpp"
#include "dialect/circleci/steps.hpp"

namespace kist::dialect::circleci {
namespace {

using model::Field;
using model::Text;

constexpr std::string_view kContainer = "main";

// Directories that do not begin empty although a job works there: those of every task's own, which are empty anyway,
// and those a task cannot run without.
constexpr std::string_view kNeverEmptied[] = {"/",     "/tmp",  "/var/tmp", "/mnt",   "/argo", "/bin",  "/boot", "/dev",
                                              "/etc",  "/home", "/lib",     "/lib64", "/opt",  "/proc", "/root", "/run",
                                              "/sbin", "/srv",  "/sys",     "/usr",   "/var",  "~"};

class JobReader {
 public:
  JobReader(const Config& config, const Texts& texts, const yaml::Node& job, const JobUse& use,
            const model::RunRequest& request)
      : config_(config), texts_(texts), reader_(texts.reader()), job_(job), use_(use), request_(request) {}

  model::Task read() {
    using enum Field::Kind;
    auto key = [this](std::string_view name, void (JobReader::*member)(const yaml::Node&), bool null = false) {
      return Field{
          .key = name, .read = [this, member](const yaml::Node& node) { (this->*member)(node); }, .null = null};
    };
    bool is_job = reader_.mapping(
        job_, "a job",
        {key("docker", &JobReader::docker),
         key("machine", &JobReader::machine),
         key("macos", &JobReader::macos, true),
         key("executor", &JobReader::executor),
         key("working_directory", &JobReader::working_directory),
         key("environment", &JobReader::environment, true),
         key("shell", &JobReader::shell),
         key("parallelism", &JobReader::parallelism),
         key("resource_class", &JobReader::resource_class),
         key("type", &JobReader::type),
         {.key = "steps", .kind = accepted},  // read last: they stand on the others
         {.key = "parameters", .kind = later, .remark = "what does not use them runs"},
         {.key = "branches", .kind = use_.implicit ? later : accepted, .remark = "it runs on every branch"},
         {.key = "description", .kind = accepted},
         {.key = "retention", .kind = accepted},
         {.key = "circleci_ip_ranges", .kind = accepted},
         {.key = "plan_name", .kind = accepted},
         {.key = "key", .kind = accepted}});
    if (!is_job || !is_build_) return {};
    if (executors_ == 0 && !has_named_executor_)
      reader_.fail(job_, fmt::format("the job '{}' has no executor: expected `docker` or `machine`", use_.name));
    if (executors_ > 1)
      reader_.fail(job_, fmt::format("the job '{}' has several executors: expected one of docker, machine and macos",
                                     use_.name));
    return task();
  }

 private:
  model::Task task() {
    const yaml::Node* steps = job_.find("steps");
    model::Task task;
    if (steps == nullptr || !steps->is_sequence()) {
      reader_.fail(steps != nullptr ? *steps : job_,
                   steps != nullptr ? fmt::format("steps: expected a list of steps, not {}", model::describe(*steps))
                                    : fmt::format("the job '{}' has no `steps`", use_.name));
      return task;
    }
    task.containers.push_back(container());
    if (std::ranges::find(kNeverEmptied, directory_) == std::end(kNeverEmptied))
      task.fresh_directories.push_back(Text::literal(directory_));
    task.actions.push_back(bash_env());
    auto actions = read_steps(config_, texts_, *steps, {.container = std::string(kContainer), .shell = shell_});
    std::ranges::move(actions, std::back_inserter(task.actions));
    return task;
  }

  model::Container container() {
    model::Container container;
    container.name = kContainer;
    container.image = image_;
    container.working_directory = Text::literal(directory_);
    Variables all = std::move(container_environment_);
    std::ranges::move(built_in_variables({.job = use_.name,
                                          .number = use_.number,
                                          .project = request_.project,
                                          .working_directory = written_directory_}),
                      std::back_inserter(all));
    std::ranges::move(environment_, std::back_inserter(all));
    for (const auto& [name, value] : request_.environment) all.push_back({name, Text::literal(value)});
    container.environment = without_overridden(std::move(all));
    return container;
  }

  // An empty file that steps may append to or read.
  static model::Action bash_env() {
    model::Load load;
    load.source = model::RawArtifact{};
    load.path = Text::literal(std::string(kBashEnv));
    model::Action action;
    action.container = kContainer;
    action.what = std::move(load);
    return action;
  }

  void docker(const yaml::Node& node) {
    ++executors_;
    if (!node.is_sequence() || node.items.empty())
      return reader_.fail(node, fmt::format("docker: expected a list of images, not {}", model::describe(node)));
    std::optional<std::string> image;
    using enum Field::Kind;
    reader_.mapping(
        node.items.front(), "a docker container",
        {{.key = "image", .read = [&](const yaml::Node& value) { image = texts_.text(value, "image"); }},
         {.key = "environment",
          .read = [this](const yaml::Node& value) { read_environment(texts_, value, container_environment_); },
          .null = true},
         {.key = "name", .kind = accepted},
         {.key = "entrypoint", .kind = later, .remark = "the steps run without it"},
         {.key = "command", .kind = later, .remark = "the steps run without it"},
         {.key = "user", .kind = later, .remark = "the steps run as the caller"},
         {.key = "auth", .kind = accepted},  // nothing is pulled
         {.key = "aws_auth", .kind = accepted},
         {.key = "gcp_auth", .kind = accepted}});
    if (image) image_ = Text::literal(std::move(*image));
    if (node.items.size() > 1) reader_.refuse(node.items[1], "docker services", "a second container beside the steps");
  }

  void machine(const yaml::Node& node) {
    if (yaml::as_boolean(node, true) == false) return;
    ++executors_;
    if (node.is_scalar()) {
      if (auto text = texts_.text(node, "machine")) check_windows(node, *text);
      return;
    }
    using enum Field::Kind;
    auto look = [this](const yaml::Node& value) {
      if (auto text = texts_.text(value, "machine")) check_windows(value, *text);
    };
    reader_.mapping(node, "a machine",
                    {{.key = "image", .read = look},
                     {.key = "resource_class", .read = look},
                     {.key = "shell", .read = [this](const yaml::Node& value) { shell(value); }},
                     {.key = "enabled", .kind = accepted},
                     {.key = "docker_layer_caching", .kind = accepted}});
  }

  void check_windows(const yaml::Node& node, std::string_view text) {
    if (text.starts_with("win")) reader_.refuse(node, "windows");
  }

  void macos(const yaml::Node& node) {
    ++executors_;
    reader_.refuse(node, "macos");
  }

  void executor(const yaml::Node& node) {
    has_named_executor_ = true;  // may stand beside another one, which overrides it
    reader_.refuse(node, "executor", "a named executor");
  }

  void working_directory(const yaml::Node& node) {
    auto text = texts_.text(node, "working_directory", "a path");
    if (!text || text->empty()) return;
    written_directory_ = *text;
    bool absolute = text->starts_with('/');
    std::string_view inside = *text;
    if (inside == "~" || inside.starts_with("~/")) inside.remove_prefix(std::min<std::size_t>(2, inside.size()));
    directory_ = std::filesystem::path(inside).lexically_normal().string();
    while (directory_.size() > 1 && directory_.ends_with('/')) directory_.pop_back();
    if (absolute) return;
    directory_ = std::filesystem::path(directory_).relative_path().string();
    if (directory_ == ".." || directory_.starts_with("../"))
      reader_.fail(node, fmt::format("working_directory: '{}' leads out of the home directory by '..'", *text));
    directory_ = directory_.empty() || directory_ == "." ? "~" : "~/" + directory_;
  }

  void environment(const yaml::Node& node) { read_environment(texts_, node, environment_); }

  void shell(const yaml::Node& node) {
    if (auto words = read_shell(texts_, node)) shell_ = std::move(*words);
  }

  void parallelism(const yaml::Node& node) {
    if (!texts_.text(node, "parallelism", "a number")) return;
    auto number = yaml::as_integer(node);
    if (!number || *number < 1)
      reader_.fail(node, fmt::format("parallelism: expected a number from 1 on, not {}", model::describe(node)));
    else if (*number > 1)
      reader_.refuse(node, "parallelism", "more than 1");
  }

  void resource_class(const yaml::Node& node) {
    auto text = texts_.text(node, "resource_class");
    if (!text) return;
    check_windows(node, *text);
    reader_.later(node, "resource_class", "the job has what this machine has");
  }

  void type(const yaml::Node& node) {
    auto text = texts_.text(node, "type");
    is_build_ = text == "build";
    if (text && !is_build_) reader_.refuse(node, fmt::format("type: {}", *text));
  }

  const Config& config_;
  const Texts& texts_;
  const model::Reader& reader_;
  const yaml::Node& job_;
  const JobUse& use_;
  const model::RunRequest& request_;

  bool is_build_ = true;
  bool has_named_executor_ = false;
  int executors_ = 0;
  Text image_;
  std::string written_directory_ = "~/project";
  std::string directory_ = "~/project";  // normal
  Variables container_environment_;
  Variables environment_;
  std::vector<std::string> shell_ = {"/bin/bash", "-eo", "pipefail"};
};

}  // namespace

model::Task read_job(const Config& config, const Texts& texts, const yaml::Node& job, const JobUse& use,
                     const model::RunRequest& request) {
  return JobReader(config, texts, job, use, request).read();
}

}  // namespace kist::dialect::circleci
