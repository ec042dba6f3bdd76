#include "task/containers.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sandbox/sandbox.hpp"
#include "task/paths.hpp"
#include "task/stand_ins.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

// By which kist may use other machines' artifacts: no task's business, whatever a file asks for.
constexpr std::string_view kKistsOwn[] = {"KIST_TOKEN", "KIST_TOKEN_FILE"};

std::string search_path(const Host& host, const ImageRule* image) {
  std::vector<std::string> directories;
  auto add = [&](const fs::path& directory) {
    if (std::ranges::find(directories, directory.native()) == directories.end())
      directories.push_back(directory.native());
  };
  auto inherited = host.programs.begin();
  if (host.virtual_environment) add(*inherited++);
  if (image != nullptr) std::ranges::for_each(image->path, add);
  std::for_each(inherited, host.programs.end(), add);
  add(kStandInDirectory);
  return fmt::format("{}", fmt::join(directories, ":"));
}

ContainerHere describe_one(const model::Container& container, const Host& host, const ImageTable& table,
                           const fs::path& project) {
  ContainerHere here;
  here.container = &container;
  if (std::string image = container.image.source(); !image.empty()) here.image = find_image(table, image);
  if (has_rich_shell(container.image.source()))
    if (auto bash = find_program(host.programs, "bash")) here.rich_shell = bash->string();
  here.working_directory = absolute_path(container.working_directory.source(), project, host.home);
  here.base["PATH"] = search_path(host, here.image);
  here.base["HOME"] = host.home.string();
  if (container.inherit_environment)
    for (const auto& [name, value] : host.inherited) here.base[name] = value;
  if (host.virtual_environment) here.base["VIRTUAL_ENV"] = host.virtual_environment->string();
  if (here.image != nullptr)
    for (const auto& [name, value] : here.image->environment) here.base[name] = value;
  for (const std::string& name : container.inherited) {
    if (std::ranges::find(kKistsOwn, name) != std::end(kKistsOwn)) continue;
    if (const char* value = std::getenv(name.c_str())) here.base.try_emplace(name, value);
  }
  return here;
}

}  // namespace

Result<Containers> Containers::describe(const Document& document, const Tools& tools) {
  Containers all;
  all.host_ = host_for(document.project);
  KIST_TRY_ASSIGN(all.table_, image_table(document.project, tools.home));
  for (const model::Container& container : document.task.containers)
    all.containers_.push_back(describe_one(container, *all.host_, *all.table_, document.project));
  if (all.containers_.empty()) {
    static const model::Container implied;
    all.containers_.push_back(describe_one(implied, *all.host_, *all.table_, document.project));
  }
  for (const ContainerHere& here : all.containers_) {
    if (here.image != nullptr)
      all.stand_ins_.insert(here.image->stand_ins.begin(), here.image->stand_ins.end());
    else
      all.stand_ins_.insert("python");
  }
  if (!all.host_->needs_python_alias) all.stand_ins_.erase("python");
  return all;
}

const ContainerHere& Containers::of(const model::Action& action) const {
  for (const ContainerHere& here : containers_)
    if (here.container->name == action.container) return here;
  return containers_.front();
}

fs::path Containers::path(const model::Action& action, std::string_view written) const {
  return absolute_path(written, of(action).working_directory, host_->home);
}

std::vector<std::string> Containers::unknown_images() const {
  std::vector<std::string> images;
  for (const ContainerHere& here : containers_)
    if (here.image == nullptr && !here.container->image.source().empty())
      images.push_back(here.container->image.source());
  return images;
}

void use_rich_shell(const ContainerHere& container, std::vector<std::string>& arguments) {
  static constexpr std::array<std::string_view, 3> kShells = {"sh", "/bin/sh", "/usr/bin/sh"};
  if (container.rich_shell.empty() || arguments.empty()) return;
  if (std::ranges::find(kShells, arguments.front()) == kShells.end()) return;
  arguments.front() = container.rich_shell;
  arguments.insert(arguments.begin() + 1, "--posix");  // as bash behaves where it is called sh
}

Result<ProcessEnvironment> environment_of(const ContainerHere& container, const model::Run& run,
                                          MaskedServices& secrets) {
  ProcessEnvironment result;
  Environment merged = container.base;
  if (run.terminal) merged.try_emplace("TERM", "xterm");  // as container engines do
  auto set = [&](const std::string& name, std::string value) {
    merged[name] = value;
    result.written[name] = std::move(value);
  };
  for (const auto& all : container.container->secret_environment) {
    KIST_TRY_ASSIGN(auto values, secrets.values(all.secret.source(), all.optional));
    if (!values) continue;
    for (auto& [key, value] : *values)
      if (!key.contains('=')) set(all.prefix + key, std::move(value));
  }
  for (const auto* variables : {&container.container->environment, &run.environment}) {
    for (const model::EnvironmentVariable& variable : *variables) {
      if (variable.secret) {
        auto value = secrets.value(*variable.secret);
        if (!value) return with_context(fmt::format("variable {}", variable.name), value.error());
        if (*value) set(variable.name, std::move(**value));
        continue;
      }
      std::string value = variable.value.source();
      if (run.expand_variables) value = expand_variables(value, result.written);
      set(variable.name, std::move(value));
    }
  }
  merged["KIST_TASK"] = sandbox::kControlSocket;
  result.variables.reserve(merged.size());
  for (const auto& [name, value] : merged) result.variables.push_back(name + "=" + value);
  return result;
}

std::string expand_variables(std::string_view text, const Environment& variables) {
  std::string result;
  while (!text.empty()) {
    auto dollar = text.find('$');
    result += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      result += '$';
      text.remove_prefix(1);
      continue;
    }
    auto close = text.starts_with('(') ? text.find(')') : std::string_view::npos;
    auto found =
        close == std::string_view::npos ? variables.end() : variables.find(std::string(text.substr(1, close - 1)));
    if (found == variables.end()) {
      result += '$';
      continue;
    }
    result += found->second;
    text.remove_prefix(close + 1);
  }
  return result;
}

}  // namespace kist::task
