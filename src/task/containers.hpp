// The containers of a task as this machine gives them: without an engine a container is a root of its own that looks
// like this machine (roots.hpp), a working directory, an environment and what its image's name stands for (images.hpp).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/workflow.hpp"
#include "task/host.hpp"
#include "task/images.hpp"
#include "task/secrets.hpp"
#include "task/task.hpp"

namespace kist::task {

using Environment = std::map<std::string, std::string>;

struct ContainerHere {
  const model::Container* container = nullptr;
  const ImageRule* image = nullptr;  // nullptr: no image was named, or nobody knows it
  std::filesystem::path working_directory;
  Environment base;        // PATH, HOME, what is inherited, what the image's rule sets
  std::string rich_shell;  // the bash of this machine, where the image's `sh` understands what only that does here
};

// Has the container's rich shell, if it has one, run what `sh` was to run.
void use_rich_shell(const ContainerHere& container, std::vector<std::string>& arguments);

// The task's containers, what they stand on, and the paths its actions name. Immutable.
class Containers {
 public:
  // Errors: invalid (an images.yaml).
  static Result<Containers> describe(const Document& document, const Tools& tools);

  const Host& host() const { return *host_; }
  const std::vector<ContainerHere>& all() const { return containers_; }  // one at least
  // The container of an action; the first one where it names none that exists.
  const ContainerHere& of(const model::Action& action) const;
  // A path of an action, made absolute in its container.
  std::filesystem::path path(const model::Action& action, std::string_view written) const;
  // The programs to stand in for, for Layout::files.
  const std::set<std::string_view>& stand_ins() const { return stand_ins_; }
  // The images that were named and are not in the table.
  std::vector<std::string> unknown_images() const;

 private:
  std::shared_ptr<const Host> host_;
  std::shared_ptr<const ImageTable> table_;
  std::vector<ContainerHere> containers_;
  std::set<std::string_view> stand_ins_;
};

// The environment of a process, "NAME=value", and the variables a file set for it (for `$(NAME)`).
struct ProcessEnvironment {
  std::vector<std::string> variables;
  Environment written;
};
// Asks for secrets. Errors: not_found (a secret or a key of one).
Result<ProcessEnvironment> environment_of(const ContainerHere& container, const model::Run& run,
                                          MaskedServices& secrets);

// Kubernetes' `$(NAME)`: the variable's value; unknown names stay as written; `$$` is one `$`.
std::string expand_variables(std::string_view text, const Environment& variables);

}  // namespace kist::task
