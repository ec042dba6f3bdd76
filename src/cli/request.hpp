// From the words of `kist run` to a request: which file or project, which dialect, which of its workflows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "cli/hera_module.hpp"
#include "engine/engine.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::cli {

// What was typed.
struct Asked {
  std::vector<std::string> words;                            // [WORKFLOW | FILE] [ARGS…]
  std::vector<std::string> parameters;                       // "k=v"
  std::vector<std::string> environment;                      // "K=V", or "K" for the caller's own value
  std::vector<std::pair<std::string, std::string>> options;  // the dialects' own flags, by name
  std::optional<std::string> name;
  std::optional<std::string> tag;
  std::optional<std::string> restore_from;
  bool cached = false;
};

struct Prepared {
  model::RunRequest request;
  std::vector<model::RunRequest> further;  // a Python module that defines several workflows: the others, in their order
  std::vector<model::SourceText> library;  // files given beside the first, for what it refers to
  std::vector<std::string> warnings;       // files of the project that are broken and not needed
};

// The workflows of one dialect in a project. A file that cannot be read as workflows is left out of `files`, so that it
// does not stand in the way of the others; its error is in `broken`.
struct Offer {
  const model::Dialect* dialect = nullptr;
  std::vector<model::SourceText> files = {};
  std::vector<model::WorkflowSummary> workflows = {};
  std::vector<Error> broken = {};
};

// The nearest directory from `directory` upwards that holds workflow files.
struct Project {
  std::filesystem::path directory;
  std::vector<Offer> offers;
};
Result<std::optional<Project>> find_project(const engine::Dialects& dialects, const std::filesystem::path& directory);

// A file given by name ("-": standard input) with the dialect that recognises it. Of a Python module that defines
// workflows with Hera: what it defines, as YAML; the module is run for that. Errors: not_found, invalid (no dialect
// knows it, or the module fails).
struct GivenFile {
  const model::Dialect* dialect = nullptr;
  model::SourceText source;
  std::optional<HeraModule> module = {};
};
Result<GivenFile> read_given_file(const engine::Dialects& dialects, const std::string& name,
                                  const std::filesystem::path& directory);

// `fallback`: the dialect to ask where there is no project (dstack runs providers without a file); may be nullptr.
// Errors: invalid (nothing or several to choose from: the text lists them), not_found.
Result<Prepared> prepare(const engine::Dialects& dialects, const Asked& asked, const std::filesystem::path& directory,
                         const model::Dialect* fallback);

}  // namespace kist::cli
