// A Python module that defines workflows with Hera: what it defines, as the YAML that Hera makes of it. The module is
// run by the Python that tasks of the project find (task/host.hpp), with the driver that kist carries (hera_module.py).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"

namespace kist::cli {

// Whether a file is such a module: a `.py` that imports hera.
bool is_hera_module(const std::filesystem::path& name, std::string_view text);

struct HeraModule {
  model::SourceText all;                // every document of the module
  std::vector<model::SourceText> runs;  // for each Workflow, in the order the module made them: it and all templates
};

// The directory that steps of the module's workflows see as their project: `directory` where the module lies in it,
// else the module's own, or the one its package lies in.
std::filesystem::path project_of_module(const std::filesystem::path& file, const std::filesystem::path& directory);

// Runs the module; what it prints goes to standard output, a traceback of its to standard error. `name` is the file as
// typed, from the current directory. Errors: not_found (no Python), invalid (the module fails, has no workflow, or its
// Python has no Hera: the text says what to do).
Result<HeraModule> read_hera_module(const std::string& name, const std::filesystem::path& project);

}  // namespace kist::cli
