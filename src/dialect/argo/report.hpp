// What is found while one document is read and checked: mistakes, what kist does not do yet, what it ignores.
// Everything is collected, so that one run of lint tells all; and everything has its place.
//
// What is not supported yet is an error only where it would be met: found in a template that the entrypoint never
// reaches, it becomes a warning.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/yaml.hpp"
#include "model/dialect.hpp"

namespace kist::dialect::argo {

// Not thread-safe; belongs to the document being read.
class Report {
 public:
  // The names of the texts that marks speak of (yaml::Mark::source), the first of them the one that is read.
  explicit Report(std::vector<std::string> files) : files_(std::move(files)) {}

  // What is reported until the next call belongs to the template of this key; empty: to the workflow as a whole.
  void enter(std::string_view definition) { definition_ = definition; }
  const std::string& entered() const { return definition_; }

  // A mistake in the file.
  void error(yaml::Mark mark, std::string text);
  // Running without it would be wrong: "not supported yet: KEY (WHERE)".
  void unsupported(yaml::Mark mark, std::string_view key, std::string_view where);
  // Something that a run needs and that is not here: an error for a run, a warning for who only looks.
  void lacking(yaml::Mark mark, std::string text);
  // Running is right without it, said once per key: "not supported yet: KEY, NOTE".
  void postponed(yaml::Mark mark, std::string_view key, std::string_view note);
  // A matter of the cluster, said once per key: "KEY is ignored on one machine".
  void ignored(yaml::Mark mark, std::string_view key);
  void warning(yaml::Mark mark, std::string text);

  bool has_mistakes() const;

  model::Origin origin(yaml::Mark mark) const {
    return {files_.at(static_cast<std::size_t>(mark.source)), mark.line, mark.column};
  }

  // The warnings, in the order of their places; or, where there are errors, all of these as one text, a line each.
  // `used` are the keys of the templates that the entrypoint reaches; `to_run`: what is found is not only looked at.
  // Errors: invalid; unsupported where nothing else is wrong.
  Result<std::vector<model::Notice>> finish(const std::set<std::string, std::less<>>& used, bool to_run) const;

 private:
  enum class Kind { mistake, unsupported, lacking, warning };
  struct Item {
    Kind kind;
    yaml::Mark mark;
    std::string text;
    std::string definition;
  };
  void add(Kind kind, yaml::Mark mark, std::string text);
  void add_once(std::string_view key, yaml::Mark mark, std::string text);

  std::vector<std::string> files_;
  std::string definition_;
  std::vector<Item> items_;
  std::set<std::string, std::less<>> said_;
};

}  // namespace kist::dialect::argo
