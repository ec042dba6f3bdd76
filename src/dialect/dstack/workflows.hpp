// Which workflows a project's files define. A file or workflow that is wrong never hides another one: what is wrong is
// noted, and told where it matters.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "model/reader.hpp"

namespace kist::dialect::dstack {

struct Entry {
  std::string name;
  model::Origin origin;
  const yaml::Node* node = nullptr;  // a mapping
};

// The workflows of some files, in their order. Owns the parsed texts.
class Workflows {
 public:
  explicit Workflows(const std::vector<model::SourceText>& files);
  Workflows(const Workflows&) = delete;
  Workflows& operator=(const Workflows&) = delete;

  const std::vector<Entry>& entries() const { return entries_; }
  // What was left out, and why: files that cannot be read, items without a name.
  const std::vector<model::Notice>& problems() const { return problems_; }

  // The workflow of this name; the only one where the name is empty. Errors: not_found (the text names those there
  // are), invalid (several of that name: the text gives their places; several to choose from; files that could not be
  // read and may hold it).
  Result<const Entry*> find(std::string_view name) const;

 private:
  void read(const std::string& file, const yaml::Node& document);
  void problem(model::Origin origin, std::string text);
  std::string listing() const;

  std::deque<yaml::Node> documents_;
  std::vector<Entry> entries_;
  std::vector<model::Notice> problems_;
};

}  // namespace kist::dialect::dstack
