#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/remotes.hpp"

namespace kist::cli {

namespace {

struct RemoteListOptions {
  std::optional<std::string> remote;
  bool json = false;
};

// What is on one remote.
Result<int> list_contents(Context& context, const RemoteListOptions& options) {
  KIST_TRY_ASSIGN(auto remote, open_remote(context.house, options.remote));
  KIST_TRY_ASSIGN(const auto names, remote.store->references(""));
  Json array = Json::array();
  Table table({"NAME", "KIND"});
  for (const auto& name : names) {
    for (const auto& [prefix, kind, mark] : {std::tuple("runs/", "run", ""), std::tuple("tags/", "tag", ":")}) {
      if (!name.starts_with(prefix)) continue;
      const auto rest = mark + name.substr(std::string_view(prefix).size());
      array.push_back({{"name", rest}, {"kind", kind}});
      table.add({rest, kind});
    }
  }
  if (options.json) {
    print_json(array);
  } else {
    print(table.to_text(context.colored_output()));
  }
  return 0;
}

Result<int> list(Context& context, const RemoteListOptions& options) {
  if (options.remote) return list_contents(context, options);
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(const auto remotes, Remotes::load(*home));
  if (options.json) {
    Json array = Json::array();
    for (const auto& remote : remotes.all())
      array.push_back({{"name", remote.name}, {"url", remote.url}, {"default", remote.name == remotes.default_name()}});
    print_json(array);
    return 0;
  }
  Table table({"NAME", "URL", "DEFAULT"});
  for (const auto& remote : remotes.all())
    table.add({remote.name, remote.url, remote.name == remotes.default_name() ? "yes" : ""});
  print(table.to_text(context.colored_output()));
  return 0;
}

struct RemoteAddOptions {
  std::string name;
  std::string url;
  PlaceOptions place;
  bool make_default = false;
};

Result<int> add(Context& context, const RemoteAddOptions& options) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return fail_errno("finding the current directory", failed.value());
  KIST_TRY_ASSIGN(const auto remote, read_remote(options.name, options.url, options.place, directory));
  KIST_TRY_ASSIGN(const auto place, open_place(remote, true));
  KIST_TRY(store::RemoteStore::create(*place));
  KIST_TRY(Remotes::add(*home, remote, options.make_default));
  context.done(fmt::format("{} is the remote at {}", remote.name, remote.url));
  return 0;
}

Result<int> remove(Context& context, const std::string& name) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY(Remotes::remove(*home, name));
  context.done(fmt::format("{} is forgotten; what is there stays there", name));
  return 0;
}

}  // namespace

void declare_remote(Arguments& arguments, Context& context) {
  auto listing = std::make_shared<RemoteListOptions>();
  arguments.flag("--json", listing->json, "Print JSON");
  arguments.action([&context, listing] { return list(context, *listing); });

  Arguments& list_command = arguments.command("list", "List the remotes, or the runs and tags of one");
  list_command.flag("--json", listing->json, "Print JSON");
  list_command.positional("NAME", listing->remote, "List what is on this remote", Completes::remote);
  list_command.action([&context, listing] { return list(context, *listing); });

  auto adding = std::make_shared<RemoteAddOptions>();
  Arguments& add_command = arguments.command("add", "Give a place a name, and make it a remote where it is none");
  add_command.flag("--default", adding->make_default, "From now on the default; the first remote is it anyway");
  add_command.option("--endpoint", "URL", adding->place.endpoint, "Of the S3 server, where it is not Amazon's");
  add_command.option("--region", "REGION", adding->place.region, "Of the bucket");
  add_command.option("--profile", "NAME", adding->place.profile,
                     "Of ~/.aws/credentials and ~/.aws/config: where the keys come from");
  add_command.option("--ca", "FILE", adding->place.ca_file, "A certificate to trust", Completes::file);
  add_command.option("--token-file", "FILE", adding->place.token_file,
                     "Where the token for another kist is read from, each time", Completes::file);
  add_command.positional("NAME", adding->name, "What it is to be called");
  add_command.positional(
      "URL", adding->url,
      "A directory (which others may use too), s3://BUCKET/PREFIX, or the https://HOST:PORT of a `kist serve`",
      Completes::directory);
  add_command.epilogue(
      "Keys and tokens are never kept: keys are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a "
      "profile; tokens from KIST_TOKEN, or from the file that is named here or in KIST_TOKEN_FILE.");
  add_command.action([&context, adding] { return add(context, *adding); });

  auto removing = std::make_shared<std::string>();
  Arguments& remove_command = arguments.command("remove", "Forget a remote; what is there stays there");
  remove_command.positional("NAME", *removing, "Which", Completes::remote);
  remove_command.action([&context, removing] { return remove(context, *removing); });
}

}  // namespace kist::cli
