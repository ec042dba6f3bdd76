// A config.yml as it is parsed: its version and its top-level parts. What is in these is read when it is asked for, so
// that a mistake in one workflow does not keep another one from running.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "model/reader.hpp"

namespace kist::dialect::circleci {

struct Config {
  std::string file;
  yaml::Node document;          // a mapping
  bool has_parameters = false;  // version 2.1: `<< … >>` means something

  // The top-level mappings; nullptr where there is none.
  const yaml::Node* jobs() const { return part("jobs"); }
  // "; there are: a, b" to end an error with; empty where there are none.
  std::string shown_jobs() const;
  const yaml::Node* workflows() const { return part("workflows"); }
  // Whether `name` is defined in a top-level mapping: a command, an executor, a group of jobs.
  bool defines(std::string_view part, std::string_view name) const;

 private:
  const yaml::Node* part(std::string_view name) const;
};

// The first of the files that is a config. Errors: invalid.
Result<Config> parse_config(const std::vector<model::SourceText>& files);

// The top-level keys: notes those that are not supported yet, and those nobody knows.
void check_top_level(const Config& config, model::Notices& notices);

// A job that runs by itself where there are no workflows.
inline constexpr std::string_view kImplicitJob = "build";

// One workflow of the file.
struct WorkflowEntry {
  std::string name;
  model::Origin origin;
  const yaml::Node* node = nullptr;  // of `workflows`; nullptr: the implicit one
};
// Those that can be run: of `workflows`, or the implicit one where there is none.
std::vector<WorkflowEntry> workflow_entries(const Config& config);

// Reads the texts of a config: where the version has parameters, `<< parameters.x >>` and its kin are refused by name,
// and `\<<` is a literal `<<`.
class Texts {
 public:
  Texts(const Config& config, model::Notices& notices)
      : reader_(config.file, notices), has_parameters_(config.has_parameters) {}

  const model::Reader& reader() const { return reader_; }
  // As Reader::text.
  std::optional<std::string> text(const yaml::Node& node, std::string_view name,
                                  std::string_view what = "a text") const;

 private:
  model::Reader reader_;
  bool has_parameters_;
};

}  // namespace kist::dialect::circleci
