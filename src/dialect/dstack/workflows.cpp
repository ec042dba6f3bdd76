#include "dialect/dstack/workflows.hpp"

#include <set>

#include <fmt/format.h>

namespace kist::dialect::dstack {

Workflows::Workflows(const std::vector<model::SourceText>& files) {
  for (const model::SourceText& file : files) {
    auto documents = yaml::parse(file.text, file.name);
    if (!documents) {
      problem({}, documents.error().text);
      continue;
    }
    if (documents->empty()) continue;
    if (documents->size() > 1)
      problem({file.name, (*documents)[1].mark.line, (*documents)[1].mark.column},
              "only the first document of a file is read");
    documents_.push_back(std::move(documents->front()));
    read(file.name, documents_.back());
  }
}

void Workflows::read(const std::string& file, const yaml::Node& document) {
  auto at = [&](const yaml::Node& node) { return model::Origin{file, node.mark.line, node.mark.column}; };
  if (document.is_null()) return;
  if (!document.is_mapping())
    return problem(at(document), fmt::format("expected the key `workflows`, not {}", model::describe(document)));
  for (const auto& [key, value] : document.entries)
    if (key.text != "workflows") problem(at(key), fmt::format("unknown key '{}' beside `workflows`", key.text));
  const yaml::Node* list = document.find("workflows");
  if (list == nullptr) return problem(at(document), "expected the key `workflows` with a list of workflows");
  if (!list->is_sequence())
    return problem(at(*list), fmt::format("workflows: expected a list of workflows, not {}", model::describe(*list)));
  for (const yaml::Node& item : list->items) {
    const yaml::Node* name = item.find("name");
    if (!item.is_mapping())
      problem(at(item), fmt::format("expected a workflow (keys and values), not {}", model::describe(item)));
    else if (name == nullptr || !name->is_scalar() || name->text.empty() || name->text.find('\0') != std::string::npos)
      problem(at(name != nullptr ? *name : item), "this workflow has no name: it cannot be run");
    else
      entries_.push_back({name->text, at(item), &item});
  }
}

void Workflows::problem(model::Origin origin, std::string text) {
  problems_.push_back({model::Notice::Level::warning, std::move(origin), std::move(text)});
}

std::string Workflows::listing() const {
  std::vector<std::string_view> names;
  std::set<std::string_view> seen;
  for (const Entry& entry : entries_)
    if (seen.insert(entry.name).second) names.push_back(entry.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<const Entry*> Workflows::find(std::string_view name) const {
  std::vector<const Entry*> found;
  for (const Entry& entry : entries_)
    if (name.empty() || entry.name == name) found.push_back(&entry);
  if (found.size() == 1) return found.front();
  if (name.empty() && found.size() > 1)
    return fail(ErrorKind::invalid, fmt::format("there are several workflows; say which one to run: {}", listing()));
  if (found.size() > 1)
    return fail(ErrorKind::invalid, fmt::format("there are two workflows named '{}': at {} and at {}; rename one", name,
                                                to_string(found[0]->origin), to_string(found[1]->origin)));
  std::vector<std::string> lines;
  // Where nothing could be read, what was wrong says it all.
  if (!name.empty())
    lines.push_back(fmt::format("there is no workflow '{}'", name));
  else if (problems_.empty())
    lines.emplace_back("there is no workflow");
  if (!entries_.empty()) lines.front() += fmt::format("; there are: {}", listing());
  for (const model::Notice& problem : problems_) {
    std::string place = to_string(problem.origin);
    lines.push_back(place.empty() ? problem.text : fmt::format("{}: {}", place, problem.text));
  }
  return fail(problems_.empty() ? ErrorKind::not_found : ErrorKind::invalid, fmt::format("{}", fmt::join(lines, "\n")));
}

}  // namespace kist::dialect::dstack
