// A word that names a file is a file only where some dialect takes it for its own or it looks like a path: a project
// may well have a file called like one of its workflows.
#include "cli/request.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <ranges>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/file.hpp"
#include "cli/arguments.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kFileLimit = 16ULL << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // some editors begin a file with it

bool looks_like_path(std::string_view word) {
  return word == "-" || word.find('/') != std::string_view::npos || word.ends_with(".yaml") || word.ends_with(".yml") ||
         word.ends_with(".json") || word.ends_with(".py");
}

bool is_file(const std::string& word) {
  std::error_code ignored;
  return word == "-" || fs::is_regular_file(word, ignored);
}

Result<std::string> read_standard_input() {
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0) return fail_errno("reading standard input");
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kFileLimit) return fail(ErrorKind::invalid, "standard input: larger than 16 MiB");
  }
}

bool has(const std::vector<model::WorkflowSummary>& workflows, std::string_view name) {
  return std::ranges::find(workflows, name, &model::WorkflowSummary::name) != workflows.end();
}

// What is meant where nothing is named: the only workflow, or the only one that is not there for others to use.
const model::WorkflowSummary* the_one(const std::vector<model::WorkflowSummary>& workflows) {
  if (workflows.size() == 1) return &workflows.front();
  const model::WorkflowSummary* one = nullptr;
  for (const auto& workflow : workflows) {
    if (!workflow.primary) continue;
    if (one != nullptr) return nullptr;
    one = &workflow;
  }
  return one;
}

Offer make_offer(const model::Dialect& dialect, std::vector<model::SourceText> files) {
  Offer offer{.dialect = &dialect};
  auto all = dialect.workflows(files);
  if (!all) {
    std::vector<model::SourceText> sound;
    for (auto& file : files) {
      if (auto alone = dialect.workflows({file}); !alone) {
        offer.broken.push_back(alone.error());
      } else {
        sound.push_back(std::move(file));
      }
    }
    if (offer.broken.empty() || sound.empty()) {
      if (offer.broken.empty()) offer.broken.push_back(all.error());
      return offer;
    }
    files = std::move(sound);
    all = dialect.workflows(files);
    if (!all) {
      offer.broken.push_back(all.error());
      return offer;
    }
  }
  offer.files = std::move(files);
  offer.workflows = std::move(*all);
  return offer;
}

// Each name once; what it takes to tell it from others of its name stands beside it.
std::string list_workflows(const std::vector<Offer>& all) {
  std::size_t width = 0;
  std::map<std::string_view, std::set<const Offer*>> offered_by;
  for (const auto& offer : all) {
    for (const auto& workflow : offer.workflows) {
      width = std::max(width, workflow.name.size());
      offered_by[workflow.name].insert(&offer);
    }
  }
  std::string text;
  for (const auto& offer : all) {
    std::set<std::string_view> listed;
    for (const auto& workflow : offer.workflows) {
      if (!listed.insert(workflow.name).second) continue;
      const auto same = std::ranges::count(offer.workflows, workflow.name, &model::WorkflowSummary::name);
      std::vector<std::string> remarks;
      if (!workflow.help.empty()) remarks.push_back(workflow.help);
      if (offered_by[workflow.name].size() > 1) remarks.push_back(fmt::format("({})", offer.dialect->name()));
      if (same > 1) remarks.push_back(fmt::format("({} of this name)", same));
      text += remarks.empty() ? fmt::format("\n  {}", workflow.name)
                              : fmt::format("\n  {:<{}}  {}", workflow.name, width, fmt::join(remarks, " "));
    }
  }
  return text;
}

std::string texts_of(const std::vector<Error>& errors) {
  return fmt::format("{}", fmt::join(errors | std::views::transform(&Error::text), "\n"));
}

// Which dialect's which workflow the first word means, and how many words that took.
struct Choice {
  const Offer* offer = nullptr;
  std::string workflow;
  std::size_t words = 0;
};

Result<Choice> choose(const std::vector<Offer>& all, const std::vector<std::string>& words, std::string_view where) {
  std::size_t count = 0;
  const Offer* only = nullptr;
  std::vector<Error> broken;
  for (const auto& offer : all) {
    count += offer.workflows.size();
    if (!offer.workflows.empty()) only = &offer;
    broken.insert(broken.end(), offer.broken.begin(), offer.broken.end());
  }

  if (words.empty()) {
    if (count == 1) return Choice{only, only->workflows.front().name, 0};
    if (count > 1)
      return fail(ErrorKind::invalid, fmt::format("which workflow? {} has:{}", where, list_workflows(all)));
    if (!broken.empty()) return fail(ErrorKind::invalid, texts_of(broken));
    for (const auto& offer : all) {  // its system knows what is missing, and where
      if (offer.files.empty()) continue;
      model::RunRequest request;
      request.dialect = offer.dialect->name();
      request.files = offer.files;
      if (auto checked = offer.dialect->check(request); !checked) return std::unexpected(std::move(checked).error());
    }
    return fail(ErrorKind::invalid, fmt::format("{} has no workflow", where));
  }

  const auto& name = words.front();
  if (name.starts_with('-')) return fail(ErrorKind::invalid, fmt::format("unknown option '{}'", name));
  std::vector<const Offer*> holders;
  for (const auto& offer : all)
    if (has(offer.workflows, name)) holders.push_back(&offer);
  if (holders.size() > 1) {
    return fail(ErrorKind::invalid, fmt::format("{} defines '{}' in several systems; name the file instead: `kist run "
                                                "{} {}`",
                                                where, name, holders.front()->files.front().name, name));
  }
  if (holders.size() == 1) return Choice{holders.front(), name, 1};

  // A broken file may be the one that defines it: its error is what helps.
  if (!broken.empty()) return fail(ErrorKind::invalid, texts_of(broken));
  // One system only: it knows what else the word may mean, and what to say.
  if (all.size() == 1) return Choice{&all.front(), name, 1};
  std::vector<std::string> names;
  for (const auto& offer : all)
    for (const auto& workflow : offer.workflows) names.push_back(workflow.name);
  const auto near = nearest(name, names);
  return fail(ErrorKind::not_found,
              fmt::format("no workflow is called '{}'{}; {} has:{}", name,
                          near ? fmt::format(" (did you mean '{}'?)", *near) : "", where, list_workflows(all)));
}

// The workflows that Hera defines are Argo's.
constexpr std::string_view kSystemOfHera = "argo";

// Which of a module's workflows are to be run: the one that the first word names, else all. Fills `request.files` and
// what follows from it.
Result<std::size_t> choose_of_module(const GivenFile& given, const std::vector<std::string>& rest, Prepared& prepared) {
  std::vector<std::string> names;
  for (const auto& run : given.module->runs) {
    KIST_TRY_ASSIGN(const auto workflows, given.dialect->workflows({run}));
    if (workflows.empty()) return fail(ErrorKind::invalid, fmt::format("{}: expected a workflow", run.name));
    names.push_back(workflows.front().name);
  }
  const bool named = !rest.empty() && std::ranges::find(names, rest.front()) != names.end();
  if (!named && (!rest.empty() || names.empty())) {
    // A template or a schedule, perhaps: its system knows which of them can be run.
    const std::vector<Offer> all{make_offer(*given.dialect, {given.module->all})};
    prepared.request.files = {given.module->all};
    if (names.empty() && all.front().workflows.empty() && rest.empty()) return 0;
    KIST_TRY_ASSIGN(auto choice, choose(all, rest, given.source.name));
    prepared.request.workflow = std::move(choice.workflow);
    return choice.words;
  }
  std::vector<model::RunRequest> requests;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (named && names[i] != rest.front()) continue;
    auto& request = requests.emplace_back(prepared.request);
    request.files = {given.module->runs[i]};
    request.workflow = names[i];
  }
  prepared.request = std::move(requests.front());
  prepared.further.assign(std::make_move_iterator(requests.begin() + 1), std::make_move_iterator(requests.end()));
  return named ? 1 : 0;
}

// The project a given file belongs to: the directory whose workflow file it is, else the current one.
fs::path project_of(const model::Dialect& dialect, const std::string& name, const fs::path& directory) {
  if (name == "-") return directory;
  const fs::path file = (directory / name).lexically_normal();
  for (fs::path at = file.parent_path();; at = at.parent_path()) {
    const auto files = dialect.project_files(at);
    if (std::ranges::any_of(files, [&](const fs::path& one) { return one.lexically_normal() == file; })) return at;
    if (at == at.root_path()) return directory;
  }
}

Result<std::pair<std::string, std::string>> split_pair(const std::string& text, std::string_view option,
                                                       std::string_view shape) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorKind::invalid, fmt::format("{} {}: expected {}", option, text, shape));
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

Status fill(model::RunRequest& request, const Asked& asked, const model::Dialect& dialect) {
  for (const auto& parameter : asked.parameters) {
    KIST_TRY_ASSIGN(auto pair, split_pair(parameter, "-p", "NAME=VALUE"));
    request.parameters.push_back(std::move(pair));
  }
  for (const auto& variable : asked.environment) {
    if (variable.find('=') == std::string::npos) {
      const char* value = std::getenv(variable.c_str());
      if (value == nullptr) {
        return fail(ErrorKind::invalid,
                    fmt::format("-e {}: there is no such variable to hand on; set it, or write -e {}=VALUE", variable,
                                variable));
      }
      request.environment.emplace_back(variable, value);
      continue;
    }
    KIST_TRY_ASSIGN(auto pair, split_pair(variable, "-e", "NAME=VALUE"));
    request.environment.push_back(std::move(pair));
  }
  const auto flags = dialect.run_flags();
  for (const auto& option : asked.options) {
    if (std::ranges::find(flags, option.first, &model::Dialect::Flag::name) == flags.end()) {
      return fail(ErrorKind::invalid, fmt::format("--{} is no option for {} workflows", option.first, dialect.name()));
    }
    request.options.push_back(option);
  }
  request.dialect = dialect.name();
  request.name = asked.name;
  request.tag = asked.tag;
  request.restore_from = asked.restore_from;
  request.cached = asked.cached;
  return {};
}

}  // namespace

Result<std::optional<Project>> find_project(const engine::Dialects& dialects, const fs::path& directory) {
  for (fs::path at = directory;; at = at.parent_path()) {
    Project project{.directory = at, .offers = {}};
    for (const auto* dialect : dialects) {
      std::vector<model::SourceText> files;
      for (const auto& path : dialect->project_files(at)) {
        KIST_TRY_ASSIGN(auto text, read_file(path, kFileLimit));
        files.push_back({path.lexically_proximate(directory).string(), std::move(text)});
      }
      if (!files.empty()) project.offers.push_back(make_offer(*dialect, std::move(files)));
    }
    if (!project.offers.empty()) return project;
    if (at == at.root_path()) return std::nullopt;
  }
}

Result<GivenFile> read_given_file(const engine::Dialects& dialects, const std::string& name,
                                  const fs::path& directory) {
  auto text = name == "-" ? read_standard_input() : read_file(name, kFileLimit);
  if (!text) return std::unexpected(std::move(text).error());
  if (is_hera_module(name, *text)) {
    KIST_TRY_ASSIGN(const model::Dialect* dialect, engine::find_dialect(dialects, kSystemOfHera));
    KIST_TRY_ASSIGN(auto module, read_hera_module(name, project_of_module(name, directory)));
    return GivenFile{dialect, module.all, std::move(module)};
  }
  const auto seen = std::string_view(*text).substr(text->starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  for (const auto* dialect : dialects) {
    if (dialect->recognises(name, seen)) return GivenFile{dialect, {name, std::move(*text)}};
  }
  if (name.ends_with(".py")) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: not a workflow file; a Python module is one where it imports hera", name));
  }
  const auto names = dialects | std::views::transform(&model::Dialect::name);
  return fail(ErrorKind::invalid, fmt::format("{}: not a workflow file of {}", name == "-" ? "standard input" : name,
                                              fmt::join(names, ", ")));
}

Result<Prepared> prepare(const engine::Dialects& dialects, const Asked& asked, const fs::path& directory,
                         const model::Dialect* fallback) {
  Prepared prepared;
  auto& request = prepared.request;
  const bool may_be_file = !asked.words.empty() && fallback == nullptr;

  std::optional<GivenFile> given;
  if (may_be_file && is_file(asked.words.front())) {
    auto read = read_given_file(dialects, asked.words.front(), directory);
    if (read) {
      given = std::move(*read);
    } else if (looks_like_path(asked.words.front()) || read.error().kind != ErrorKind::invalid) {
      return std::unexpected(std::move(read).error());
    }
  } else if (may_be_file && looks_like_path(asked.words.front())) {
    const auto& word = asked.words.front();
    std::error_code ignored;
    if (fs::is_directory(word, ignored) && fs::path(word).has_extension())
      return fail(ErrorKind::invalid, fmt::format("{} is a directory; give a workflow file", word));
    if (fs::path(word).has_extension()) return fail(ErrorKind::not_found, fmt::format("{}: no such file", word));
  }

  if (given) {
    std::vector<std::string> rest;
    for (std::size_t at = 1; at < asked.words.size(); ++at) {
      const auto& word = asked.words[at];
      if (given->dialect->takes_further_files() && looks_like_path(word) && is_file(word)) {
        KIST_TRY_ASSIGN(auto further, read_given_file(dialects, word, directory));
        KIST_TRY_ASSIGN(const auto others, given->dialect->workflows({further.source}));
        for (const auto& other : others)
          if (other.primary)
            prepared.warnings.push_back(
                fmt::format("{}: the workflow '{}' is not run: what is run is of the first file", word, other.name));
        prepared.library.push_back(std::move(further.source));
      } else {
        rest.push_back(word);
      }
    }
    if (given->module) {
      request.project = project_of_module(asked.words.front(), directory).string();
      KIST_TRY_ASSIGN(const auto used, choose_of_module(*given, rest, prepared));
      if (!prepared.further.empty() && (asked.name || asked.tag)) {
        return fail(ErrorKind::invalid,
                    fmt::format("{} is for one run, and {} defines {} workflows; name one of them",
                                asked.name ? "--name" : "--tag", asked.words.front(), 1 + prepared.further.size()));
      }
      const auto complete = [&](model::RunRequest& one) {
        one.arguments.assign(rest.begin() + static_cast<std::ptrdiff_t>(used), rest.end());
        return fill(one, asked, *given->dialect);
      };
      KIST_TRY(complete(request));
      for (auto& one : prepared.further) KIST_TRY(complete(one));
      return prepared;
    }
    const auto& name = given->source.name;
    request.project = project_of(*given->dialect, name, directory).string();
    request.files = {given->source};
    KIST_TRY_ASSIGN(const auto workflows, given->dialect->workflows(request.files));
    std::size_t used = 0;
    if (!rest.empty() && has(workflows, rest.front())) {
      request.workflow = rest.front();
      used = 1;
    } else if (const auto* one = the_one(workflows)) {
      request.workflow = one->name;
    } else if (workflows.empty()) {
      // Its system knows what the file is instead.
    } else {
      const std::vector<Offer> all{{given->dialect, request.files, workflows, {}}};
      KIST_TRY_ASSIGN(auto choice, choose(all, rest, name));
      request.workflow = std::move(choice.workflow);
      used = choice.words;
    }
    request.arguments.assign(rest.begin() + static_cast<std::ptrdiff_t>(used), rest.end());
    KIST_TRY(fill(request, asked, *given->dialect));
    return prepared;
  }

  KIST_TRY_ASSIGN(auto project, find_project(dialects, directory));
  if (!project) {
    if (fallback != nullptr && !asked.words.empty()) {
      request.project = directory.string();
      request.workflow = asked.words.front();
      request.arguments.assign(asked.words.begin() + 1, asked.words.end());
      KIST_TRY(fill(request, asked, *fallback));
      return prepared;
    }
    return fail(ErrorKind::invalid,
                fmt::format("no workflow files in {} or above it. kist looks for .dstack/workflows.yaml, "
                            ".dstack/workflows/*.yaml and .circleci/config.yml; any other file is run by its name: "
                            "`kist run FILE`",
                            directory.string()));
  }

  request.project = project->directory.string();
  KIST_TRY_ASSIGN(auto choice, choose(project->offers, asked.words, request.project));
  request.workflow = std::move(choice.workflow);
  request.files = choice.offer->files;
  request.arguments.assign(asked.words.begin() + static_cast<std::ptrdiff_t>(choice.words), asked.words.end());
  KIST_TRY(fill(request, asked, *choice.offer->dialect));
  for (const auto& offer : project->offers)
    for (const auto& error : offer.broken) prepared.warnings.push_back("left out: " + error.text);
  return prepared;
}

}  // namespace kist::cli
