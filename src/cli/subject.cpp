#include "cli/subject.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "engine/run_record.hpp"

namespace kist::cli {

namespace {

Result<model::RunRecord> record_of_run(House& house, std::string_view name) {
  KIST_TRY_ASSIGN(const auto parts, house.parts());
  return engine::current_record(parts, name);
}

// What the tag keeps is asked first: the run may be gone, and another may have got its name.
Result<model::RunRecord> record_of_tag(House& house, const catalog::Tag& tag) {
  if (!tag.record) return record_of_run(house, tag.run);
  KIST_TRY_ASSIGN(store::Store * store, house.store());
  return engine::read_run_record(*store, *tag.record);
}

}  // namespace

Result<std::string> find_run(House& house, std::string_view word, Naming naming) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  if (naming == Naming::exact) {
    auto summary = catalog->summary(word);
    if (summary) return summary->name;
    if (summary.error().kind != ErrorKind::not_found) return std::unexpected(std::move(summary).error());
  } else {
    auto name = catalog->complete_run_name(word);
    if (name || name.error().kind != ErrorKind::not_found) return name;
  }
  return fail(ErrorKind::not_found, fmt::format("Cannot find the run '{}'", word));
}

Result<model::RunRecord> find_record(House& house, std::string_view word) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  if (word.starts_with(':')) {
    auto tag = catalog->tag(word.substr(1));
    if (tag) return record_of_tag(house, *tag);
    if (tag.error().kind != ErrorKind::not_found) return std::unexpected(std::move(tag).error());
    return fail(ErrorKind::not_found, fmt::format("Cannot find the tag '{}'", word.substr(1)));
  }
  if (auto summary = catalog->summary(word)) {
    return record_of_run(house, summary->name);
  } else if (summary.error().kind != ErrorKind::not_found) {
    return std::unexpected(std::move(summary).error());
  }
  if (auto tag = catalog->tag(word)) {
    return record_of_tag(house, *tag);
  } else if (tag.error().kind != ErrorKind::not_found) {
    return std::unexpected(std::move(tag).error());
  }
  auto name = catalog->complete_run_name(word);
  if (name) return record_of_run(house, *name);
  if (name.error().kind != ErrorKind::not_found) return std::unexpected(std::move(name).error());
  return fail(ErrorKind::not_found, fmt::format("Cannot find the run or tag '{}'", word));
}

Result<Located> locate(House& house, std::string_view word) {
  const auto slash = word.find('/');
  KIST_TRY_ASSIGN(auto run, find_record(house, word.substr(0, slash)));
  std::string_view path = slash == std::string_view::npos ? std::string_view{} : word.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return Located{std::move(run), std::string(path)};
}

Result<std::string> tag_name(std::string_view word) {
  const auto name = word.starts_with(':') ? word.substr(1) : word;
  const auto is_odd = [](unsigned char c) { return c <= ' ' || c == 0x7F || c == '/' || c == ':'; };
  if (name.empty() || name.starts_with('-') || std::ranges::any_of(name, is_odd)) {
    return fail(
        ErrorKind::invalid,
        fmt::format("'{}' cannot be a tag: it must not be empty, begin with '-' or hold blanks, '/' or ':'", word));
  }
  return std::string(name);
}

Result<model::Resolved> find_artifact(const model::RunRecord& run, const std::string& path) {
  auto found = model::resolve(run, path);
  if (found || found.error().kind != ErrorKind::not_found) return found;
  return fail(ErrorKind::not_found,
              fmt::format("Artifact source path '{}' does not exist\n{}", path, found.error().text));
}

}  // namespace kist::cli
