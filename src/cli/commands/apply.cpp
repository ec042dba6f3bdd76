#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/documents.hpp"
#include "catalog/secrets.hpp"
#include "cli/commands/table.hpp"
#include "cli/request.hpp"

namespace kist::cli {

namespace {

struct ApplyOptions {
  std::vector<std::string> files;
  std::vector<std::string> removed;
  bool json = false;
};

Result<int> list(const catalog::Documents& documents, const Context& context, bool json) {
  KIST_TRY_ASSIGN(const auto all, documents.list());
  if (json) {
    Json array = Json::array();
    for (const auto& each : all)
      array.push_back({{"name", each.name}, {"status", "applied"}, {"kind", each.kind}, {"path", each.path.string()}});
    print_json(array);
    return 0;
  }
  Table table({"KIND", "NAME"});
  for (const auto& each : all) table.add({each.kind, each.name});
  print(table.to_text(context.colored_output()));
  return 0;
}

Result<int> apply(Context& context, const ApplyOptions& options) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  const catalog::Documents documents(*home);
  const catalog::Secrets secrets(*home);
  for (const auto& word : options.removed) {
    const auto slash = word.find('/');
    if (slash == std::string::npos)
      return fail(ErrorKind::invalid, fmt::format("--delete {}: expected KIND/NAME, as `kist apply` lists them", word));
    KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
    KIST_TRY(catalog->disown({word.substr(0, slash), word.substr(slash + 1)}));
    KIST_TRY(documents.remove(word.substr(0, slash), word.substr(slash + 1)));
    print(fmt::format("{} deleted\n", word));
  }
  if (options.files.empty() && options.removed.empty()) return list(documents, context, options.json);
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return fail_errno("finding the current directory", failed.value());
  for (const auto& name : options.files) {
    KIST_TRY_ASSIGN(const auto given, read_given_file(dialects(), name, directory));
    KIST_TRY_ASSIGN(const auto kept, given.dialect->kept_documents(given.source));
    if (kept.empty())
      return fail(ErrorKind::invalid, fmt::format("{}: there is nothing in it that others refer to; a workflow is run, "
                                                  "not applied",
                                                  name));
    KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
    for (const auto& document : kept) {
      // Whichever run made one of that name: this one is the user's.
      KIST_TRY(catalog->disown({document.secret ? "secret" : document.kind, document.name}));
      if (document.secret) {
        KIST_TRY(secrets.put(document.name, {document.secret->begin(), document.secret->end()}));
      } else {
        KIST_TRY(documents.put(document.kind, document.name, document.source.text));
      }
      print(fmt::format("{}/{} applied\n", document.kind, document.name));
    }
  }
  return 0;
}

}  // namespace

void declare_apply(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ApplyOptions>();
  arguments.flag("--json", options->json, "List as JSON");
  arguments.option("--delete", "KIND/NAME", options->removed, "Delete a document");
  arguments.positionals("FILE", options->files, false, "Files with templates, config maps and schedules to keep",
                        Completes::file);
  arguments.epilogue("Without a file it lists what was applied.");
  arguments.action([&context, options] { return apply(context, *options); });
}

}  // namespace kist::cli
