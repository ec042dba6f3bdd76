#include "engine/tags.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

Result<int> list_tags(Context& context, bool json) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto tags, catalog->tags());
  if (json) {
    Json array = Json::array();
    for (const auto& tag : tags) {
      Json item{{"name", tag.name}, {"run", tag.run}, {"created", json_time(tag.created)}};
      if (tag.record) item["record"] = tag.record->to_string();
      array.push_back(std::move(item));
    }
    print_json(array);
    return 0;
  }
  Table table({"TAG", "RUN", "WORKFLOW", "CREATED"});
  const Time at = now();
  for (const auto& tag : tags) {
    const auto run = catalog->summary(tag.run);
    table.add(
        {tag.name, run ? tag.run : tag.run + " (removed)", run ? run->workflow : "", how_long_ago(tag.created, at)});
  }
  print(table.to_text(context.colored_output()));
  return 0;
}

struct TagsAddOptions {
  std::vector<std::string> words;
  std::optional<std::string> run;
  bool yes = false;
};

struct Pair {
  std::string tag;
  std::string run;
};

// dstack's pages write TAG RUN here and RUN TAG there: whichever is a run is the run.
Result<Pair> tag_and_run(House& house, const TagsAddOptions& options) {
  auto words = options.words;
  if (options.run) words.push_back(*options.run);
  if (words.size() < 2) return fail(ErrorKind::invalid, "Specify a tag and the run it is for: `tags add TAG RUN`");
  if (words.size() > 2) return fail(ErrorKind::invalid, fmt::format("one word too many: '{}'", words[2]));
  for (const auto naming : {Naming::exact, Naming::prefix}) {
    for (const std::size_t at : {std::size_t{1}, std::size_t{0}}) {
      if (options.run && at == 0) continue;
      auto run = find_run(house, words[at], naming);
      if (run) {
        KIST_TRY_ASSIGN(auto tag, tag_name(words[1 - at]));
        return Pair{std::move(tag), std::move(*run)};
      }
      if (run.error().kind != ErrorKind::not_found) return std::unexpected(std::move(run).error());
    }
  }
  if (options.run) return fail(ErrorKind::not_found, fmt::format("The run '{}' doesn't exist", words[1]));
  return fail(ErrorKind::not_found, fmt::format("The run '{}' doesn't exist, nor does a run '{}'", words[1], words[0]));
}

Result<int> add(Context& context, const TagsAddOptions& options) {
  KIST_TRY_ASSIGN(const auto pair, tag_and_run(context.house, options));
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  auto made = engine::set_tag(parts, pair.tag, pair.run, false);
  if (!made && made.error().kind == ErrorKind::conflict) {
    const auto question = fmt::format("The tag '{}' already exists. Do you want to override it?", pair.tag);
    KIST_TRY_ASSIGN(const bool agreed, context.confirm(question, options.yes));
    if (!agreed) return 0;
    made = engine::set_tag(parts, pair.tag, pair.run, true);
  }
  if (!made) return std::unexpected(std::move(made).error());
  context.done(fmt::format("{} is tagged :{}", pair.run, pair.tag));
  return 0;
}

struct TagsDeleteOptions {
  std::string tag;
  bool yes = false;
};

Result<int> remove(Context& context, const TagsDeleteOptions& options) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto name, tag_name(options.tag));
  const auto doesnt_exist = [&] { return fail(ErrorKind::not_found, fmt::format("The tag '{}' doesn't exist", name)); };
  const auto tag = catalog->tag(name);
  if (!tag && tag.error().kind == ErrorKind::not_found) return doesnt_exist();
  if (!tag) return std::unexpected(tag.error());
  KIST_TRY_ASSIGN(const bool agreed, context.confirm(fmt::format("Delete the tag '{}'?", name), options.yes));
  if (!agreed) return 0;
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  KIST_TRY(engine::remove_tag(parts, name));
  context.done(fmt::format("The tag '{}' is deleted", name));
  return 0;
}

}  // namespace

void declare_tags(Arguments& arguments, Context& context) {
  auto json = std::make_shared<bool>(false);
  arguments.flag("--json", *json, "Print JSON: an array, newest first");
  arguments.action([&context, json] { return list_tags(context, *json); });

  Arguments& listing = arguments.command("list", "List tags (so does `tags` alone)");
  listing.flag("--json", *json, "Print JSON: an array, newest first");
  listing.action([&context, json] { return list_tags(context, *json); });

  auto adding = std::make_shared<TagsAddOptions>();
  Arguments& add_command = arguments.command("add", "Tag a run; it may have many tags");
  add_command.option("-r,--run", "RUN", adding->run, "The run, where it is not among the words", Completes::run);
  add_command.flag("-y,--yes", adding->yes, "Move a tag that exists, without asking");
  add_command.positionals("TAG RUN", adding->words, true, "The new tag and the run, in either order", Completes::run);
  add_command.action([&context, adding] { return add(context, *adding); });

  auto removing = std::make_shared<TagsDeleteOptions>();
  Arguments& delete_command = arguments.command("delete", "Delete a tag; its run, where it is still there, stays");
  delete_command.flag("-y,--yes", removing->yes, "Do not ask");
  delete_command.positional("TAG", removing->tag, "With or without its colon", Completes::tag);
  delete_command.action([&context, removing] { return remove(context, *removing); });
}

}  // namespace kist::cli
