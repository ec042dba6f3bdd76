// The default repository: what lies under which key.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/subject.hpp"
#include "engine/repository.hpp"

namespace kist::cli {

namespace {

struct KeysListOptions {
  std::optional<std::string> prefix;
  bool json = false;
};

Result<int> list(Context& context, const KeysListOptions& options) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto keys, catalog->keys(options.prefix.value_or("")));
  if (options.json) {
    Json array = Json::array();
    for (const auto& key : keys) {
      Json item{{"name", key.key},
                {"bytes", key.artifact.bytes},
                {"files", key.artifact.files},
                {"tree", key.artifact.tree.to_string()},
                {"created", json_time(key.created)}};
      if (!key.run.empty()) item["run"] = key.run;
      array.push_back(std::move(item));
    }
    print_json(array);
    return 0;
  }
  Table table({"KEY", "SIZE", "RUN", "CREATED"});
  const Time at = now();
  for (const auto& key : keys)
    table.add({key.key, human_size(key.artifact.bytes), key.run, how_long_ago(key.created, at)});
  print(table.to_text(context.colored_output()));
  return 0;
}

struct KeysDeleteOptions {
  std::vector<std::string> keys;
  bool yes = false;
};

Result<int> remove(Context& context, const KeysDeleteOptions& options) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  for (const auto& word : options.keys) KIST_TRY(catalog->key(engine::key_of(word)));
  const auto question = options.keys.size() == 1 ? fmt::format("Delete the key '{}'?", options.keys.front())
                                                 : fmt::format("Delete {} keys?", options.keys.size());
  KIST_TRY_ASSIGN(const bool agreed, context.confirm(question, options.yes));
  if (!agreed) return 0;
  for (const auto& word : options.keys) {
    KIST_TRY(catalog->remove_key(engine::key_of(word)));
    context.done(fmt::format("The key '{}' is deleted", engine::key_of(word)));
  }
  return 0;
}

}  // namespace

void declare_keys(Arguments& arguments, Context& context) {
  auto listing = std::make_shared<KeysListOptions>();
  auto declare_list = [&context, listing](Arguments& command) {
    command.flag("--json", listing->json, "Print JSON: an array, ascending by key");
    command.action([&context, listing] { return list(context, *listing); });
  };
  declare_list(arguments);
  Arguments& list_command = arguments.command("list", "List keys (so does `keys` alone)");
  list_command.positional("PREFIX", listing->prefix, "Only those that begin so");
  declare_list(list_command);

  auto removing = std::make_shared<KeysDeleteOptions>();
  Arguments& delete_command =
      arguments.command("delete", "Delete keys; runs that made or used what they named keep it");
  delete_command.flag("-y,--yes", removing->yes, "Do not ask");
  delete_command.positionals("KEY", removing->keys, true, "The whole key", Completes::nothing);
  delete_command.action([&context, removing] { return remove(context, *removing); });
}

}  // namespace kist::cli
