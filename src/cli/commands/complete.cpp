#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/table.hpp"
#include "cli/listing.hpp"
#include "cli/remotes.hpp"
#include "cli/request.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

constexpr std::size_t kRunsOffered = 200;
constexpr std::size_t kPathsOffered = 1000;

// What can stand at the cursor: word and meaning.
class Candidates {
 public:
  Candidates(std::string word, std::string before) : word_(std::move(word)), before_(std::move(before)) {}

  void add(std::string_view candidate, std::string_view meaning) {
    if (!candidate.starts_with(word_) || !added_.emplace(candidate).second) return;
    text_ += fmt::format("{}{}\t{}\n", before_, candidate, meaning);
  }
  void leave_to_shell(std::string_view directive) { text_ += fmt::format("{}\n", directive); }

  const std::string& word() const { return word_; }
  const std::string& text() const { return text_; }

 private:
  std::string word_;
  std::string before_;  // what stands before the value in the same word: "--tag="
  std::string text_;
  std::set<std::string> added_;
};

Status add_runs(House& house, Candidates& candidates) {
  KIST_TRY_ASSIGN(const auto runs, list_runs(house, {.limit = kRunsOffered}));
  for (const auto& run : runs) candidates.add(run.name, fmt::format("{} {}", to_string(run.state), run.workflow));
  return {};
}

Status add_tags(House& house, Candidates& candidates, std::string_view colon) {
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, house.catalog());
  KIST_TRY_ASSIGN(const auto tags, catalog->tags());
  for (const auto& tag : tags) candidates.add(fmt::format("{}{}", colon, tag.name), "tag of " + tag.run);
  return {};
}

Status add_remotes(House& house, Candidates& candidates) {
  KIST_TRY_ASSIGN(const catalog::Home* home, house.home());
  KIST_TRY_ASSIGN(const auto remotes, Remotes::load(*home));
  for (const auto& remote : remotes.all()) candidates.add(remote.name, remote.url);
  return {};
}

Status add_workflows(Candidates& candidates) {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  candidates.leave_to_shell("//files");
  if (failed) return {};
  KIST_TRY_ASSIGN(const auto project, find_project(dialects(), directory));
  if (!project) return {};
  for (const auto& offer : project->offers)
    for (const auto& workflow : offer.workflows)
      candidates.add(workflow.name, workflow.help.empty() ? offer.dialect->name() : std::string_view(workflow.help));
  return {};
}

Status add_steps(House& house, Candidates& candidates, const std::vector<std::string>& before) {
  if (before.empty()) return {};
  KIST_TRY_ASSIGN(const auto run, find_record(house, before.front()));
  for (const auto& node : run.nodes)
    if (node.kind == model::NodeKind::task) candidates.add(node.names.display, to_string(node.state));
  return {};
}

// Addresses first, a directory's with its slash; inside an artifact what lies directly in the directory reached so far.
Status add_paths(House& house, Candidates& candidates, const std::vector<std::string>& before) {
  if (before.empty()) return {};
  KIST_TRY_ASSIGN(const auto run, find_record(house, before.front()));
  KIST_TRY_ASSIGN(store::Store * store, house.store());
  const auto found = model::resolve(run, candidates.word());
  if (!found || !candidates.word().starts_with(found->artifact.address + "/")) {
    for (const auto& one : model::addresses(run)) {
      if (!one.address.starts_with(candidates.word())) continue;
      KIST_TRY_ASSIGN(const auto top, store->find({one.artifact->tree, one.artifact->times}, ""));
      const bool is_file = top.type == store::EntryType::file;
      candidates.add(one.address + (is_file ? "" : "/"),
                     fmt::format("{} {}, {}", one.artifact->files, one.artifact->files == 1 ? "file" : "files",
                                 human_size(one.artifact->bytes)));
    }
    return {};
  }
  KIST_TRY(list_files(*store, run, {.prefix = candidates.word(), .limit = kPathsOffered}, [&](const Listed& file) {
    candidates.add(path_of(file), file.size ? human_size(*file.size) : "");
  }));
  return {};
}

Status add_values(House& house, Candidates& candidates, Completes completes, const std::vector<std::string>& before) {
  switch (completes) {
    case Completes::nothing:
      return {};
    case Completes::run:
      return add_runs(house, candidates);
    case Completes::run_or_tag:
      KIST_TRY(add_runs(house, candidates));
      return add_tags(house, candidates, ":");
    case Completes::tag:
      return add_tags(house, candidates, "");
    case Completes::remote:
      return add_remotes(house, candidates);
    case Completes::workflow:
      return add_workflows(candidates);
    case Completes::step:
      return add_steps(house, candidates, before);
    case Completes::artifact:
      return add_paths(house, candidates, before);
    case Completes::shell:
      for (const auto* shell : {"bash", "zsh", "fish"}) candidates.add(shell, "");
      return {};
    case Completes::file:
      candidates.leave_to_shell("//files");
      return {};
    case Completes::directory:
      candidates.leave_to_shell("//directories");
      return {};
  }
  return {};
}

void add_options(Candidates& candidates, const std::vector<Argument>& options) {
  for (const auto& option : options) {
    const auto longest = option.names.find("--");
    const bool short_wanted = candidates.word().size() > 1 && candidates.word()[1] != '-';
    if (longest == std::string::npos || short_wanted) {
      candidates.add(option.names.substr(0, option.names.find(',')), option.help);
    } else {
      candidates.add(option.names.substr(longest), option.help);
    }
  }
}

std::string complete(Context& context, const std::vector<std::string>& words) {
  if (words.empty()) return "";
  if (words.size() == 1) {
    Candidates candidates(words.front(), "");
    for (const auto& command : commands_of(context))
      if (!command.group.empty()) candidates.add(command.name, command.help);
    if (words.front().starts_with("-")) {
      candidates.add("--help", "Print the list of commands");
      candidates.add("--version", "Print the version");
    }
    return candidates.text();
  }
  const auto commands = commands_of(context);
  const auto command = std::ranges::find(commands, words.front(), &Command::name);
  if (command == commands.end()) return "";
  Arguments arguments("", "");
  command->declare(arguments, context);
  const auto expected = arguments.expected({words.begin() + 1, words.end()});
  Candidates candidates(words.back().substr(expected.prefix.size()), expected.prefix);
  add_options(candidates, expected.options);
  for (const auto& [name, help] : expected.commands) candidates.add(name, help);
  // What cannot be looked up now is not offered; the command itself will say why.
  (void)add_values(context.house, candidates, expected.completes, expected.positionals);
  return candidates.text();
}

}  // namespace

void declare_complete(Arguments& arguments, Context& context) {
  auto words = std::make_shared<std::vector<std::string>>();
  arguments.words("WORDS", *words, "The words after the program's name, up to the cursor", Completes::nothing);
  arguments.action([&context, words]() -> Result<int> {
    print(complete(context, *words));
    return 0;
  });
}

}  // namespace kist::cli
