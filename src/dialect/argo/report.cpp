#include "dialect/argo/report.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace kist::dialect::argo {
namespace {

// More errors than this help nobody.
constexpr std::size_t kErrorLimit = 100;

}  // namespace

void Report::add(Kind kind, yaml::Mark mark, std::string text) {
  items_.push_back({kind, mark, std::move(text), definition_});
}

void Report::add_once(std::string_view key, yaml::Mark mark, std::string text) {
  if (said_.emplace(key).second) add(Kind::warning, mark, std::move(text));
}

void Report::error(yaml::Mark mark, std::string text) {
  add(Kind::mistake, mark, std::move(text));
}

void Report::unsupported(yaml::Mark mark, std::string_view key, std::string_view where) {
  add(Kind::unsupported, mark, fmt::format("not supported yet: {} ({})", key, where));
}

void Report::lacking(yaml::Mark mark, std::string text) {
  add(Kind::lacking, mark, std::move(text));
}

void Report::postponed(yaml::Mark mark, std::string_view key, std::string_view note) {
  add_once(key, mark, fmt::format("not supported yet: {}{}{}", key, note.empty() ? "" : "; ", note));
}

void Report::ignored(yaml::Mark mark, std::string_view key) {
  add_once(key, mark, fmt::format("{} is ignored on one machine", key));
}

void Report::warning(yaml::Mark mark, std::string text) {
  add(Kind::warning, mark, std::move(text));
}

bool Report::has_mistakes() const {
  return std::ranges::any_of(items_, [](const Item& item) { return item.kind == Kind::mistake; });
}

Result<std::vector<model::Notice>> Report::finish(const std::set<std::string, std::less<>>& used, bool to_run) const {
  std::vector<const Item*> ordered;
  for (const Item& item : items_) ordered.push_back(&item);
  std::ranges::stable_sort(
      ordered, {}, [](const Item* item) { return std::tuple(item->mark.source, item->mark.line, item->mark.column); });

  std::vector<std::string> errors;
  std::set<std::string> said;
  std::size_t unsaid = 0;
  std::vector<model::Notice> warnings;
  for (const Item* item : ordered) {
    const bool unused = !item->definition.empty() && !used.contains(item->definition);
    if (item->kind == Kind::mistake || (item->kind == Kind::unsupported && to_run && !unused) ||
        (item->kind == Kind::lacking && to_run && !unused)) {
      std::string line = fmt::format("{}: {}", model::to_string(origin(item->mark)), item->text);
      if (!said.insert(line).second) continue;
      if (errors.size() < kErrorLimit)
        errors.push_back(std::move(line));
      else
        ++unsaid;
    } else {
      warnings.push_back({model::Notice::Level::warning, origin(item->mark), item->text});
    }
  }
  if (errors.empty()) return warnings;
  if (unsaid > 0) errors.back() += fmt::format(" (and {} more)", unsaid);
  return fail(has_mistakes() ? ErrorKind::invalid : ErrorKind::unsupported, fmt::format("{}", fmt::join(errors, "\n")));
}

}  // namespace kist::dialect::argo
