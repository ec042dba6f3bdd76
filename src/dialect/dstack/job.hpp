// What one workflow says, read key by key with `${{ … }}` filled in, and with the command line's changes applied; not
// yet what runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/dstack/paths.hpp"
#include "dialect/dstack/script.hpp"
#include "dialect/dstack/workflows.hpp"
#include "model/reader.hpp"

namespace kist::dialect::dstack {

struct Artifact {
  ArtifactPath path;
  bool mount = false;  // kept while it is written
  model::Origin origin;
};

struct Dep {
  model::RunArtifacts run;
  model::Origin origin;
};

struct Job {
  enum class Provider { bash, docker };
  Provider provider = Provider::bash;
  std::vector<Parts> commands;
  model::Origin commands_origin;
  std::vector<Variable> environment;
  std::vector<Artifact> artifacts;
  std::vector<Dep> deps;
  std::string working_directory;  // below the project; empty: the project
  Parts image;
  std::vector<std::string> entrypoint;
};

// Mistakes, and what is not supported yet, go to `notices`; where there are errors the job is not to be used.
Job read_job(const Entry& entry, const model::RunRequest& request, model::Notices& notices);

// The flags of `dstack run` that change a workflow; read_job() takes their values from RunRequest::options.
std::vector<model::Dialect::Flag> run_flags();

}  // namespace kist::dialect::dstack
