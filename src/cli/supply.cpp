#include "cli/supply.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/file.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

// A directory of workflow files; where there are more or larger ones, it is something else.
constexpr std::size_t kMostFiles = 1000;
constexpr std::uint64_t kLargestSupplied = 1 << 20;

void add(std::vector<model::SourceText>& to, std::vector<model::SourceText> more) {
  for (auto& text : more) to.push_back(std::move(text));
}

// The other YAML files beside those of the request, by name.
std::vector<model::SourceText> neighbours(const model::RunRequest& request) {
  std::set<std::string> names;
  for (const auto& file : request.files) {
    if (file.name == "-") continue;
    std::error_code failed;
    const fs::path parent = fs::path(file.name).parent_path();
    for (fs::directory_iterator at(parent.empty() ? fs::path(".") : parent, failed), end; !failed && at != end;
         at.increment(failed)) {
      const auto ending = at->path().extension();
      if (ending == ".yaml" || ending == ".yml") names.insert((parent / at->path().filename()).string());
      if (names.size() > kMostFiles) return {};
    }
  }
  for (const auto& file : request.files) names.erase(file.name);
  std::vector<model::SourceText> texts;
  for (const auto& name : names)
    if (auto text = read_file(name, kLargestSupplied)) texts.push_back({name, std::move(*text)});
  return texts;
}

Result<std::vector<model::SourceText>> texts_of_documents(const catalog::Documents& documents) {
  KIST_TRY_ASSIGN(const auto kept, documents.list());
  std::vector<model::SourceText> texts;
  for (const auto& document : kept) {
    KIST_TRY_ASSIGN(auto text, read_file(document.path, kLargestSupplied));
    texts.push_back({document.path.string(), std::move(text)});
  }
  return texts;
}

Status take_secrets_out(model::RunRequest& request, const model::Dialect& dialect) {
  for (auto& file : request.files) {
    KIST_TRY_ASSIGN(file.text, dialect.without_secrets(file));
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> supply(model::RunRequest& request, const model::Dialect& dialect,
                                        const std::vector<model::SourceText>& given,
                                        const catalog::Documents* documents) {
  std::vector<std::string> said;
  KIST_TRY(take_secrets_out(request, dialect));
  for (const auto& file : given) {
    KIST_TRY_ASSIGN(auto text, dialect.without_secrets(file));
    request.library.push_back({file.name, std::move(text)});
  }
  if (documents != nullptr) {
    KIST_TRY_ASSIGN(const auto texts, texts_of_documents(*documents));
    if (!texts.empty()) add(request.library, dialect.library_for(request, texts, true));
  }
  if (dialect.is_complete(request)) return said;
  auto found = dialect.library_for(request, neighbours(request), false);
  for (const auto& file : found) said.push_back(fmt::format("{} is used: it has what is referred to", file.name));
  add(request.library, std::move(found));
  return said;
}

Status supply_for(model::RunRequest& request, const model::Dialect& dialect, const model::RunRequest& asking,
                  const catalog::Documents& documents) {
  KIST_TRY(take_secrets_out(request, dialect));
  auto theirs = asking.files;
  theirs.insert(theirs.end(), asking.library.begin(), asking.library.end());
  add(request.library, dialect.library_for(request, theirs, true));
  KIST_TRY_ASSIGN(const auto kept, texts_of_documents(documents));
  add(request.library, dialect.library_for(request, kept, true));
  if (!dialect.is_complete(request)) add(request.library, dialect.library_for(request, neighbours(asking), false));
  return {};
}

}  // namespace kist::cli
