// One declaration serves three readers: CLI11 parses by it, help() prints it, expected() walks it for the shells. CLI11
// is given only flat lists: commands below a command are found here, because a flag may stand before their name
// (`tags -y add`) and because only the one command that was called is worth building.
#include "cli/arguments.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace kist::cli {

namespace {

using Target = std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*>;

struct Declared {
  Argument shown;
  Target target;

  bool is_option() const { return !shown.names.empty(); }
  bool takes_value() const { return !std::holds_alternative<bool*>(target); }
  // Any number of positionals: CLI11 would take "[a,b]" for a list.
  bool takes_what_is_left() const { return !is_option() && shown.many; }
  bool is_named(std::string_view name) const {
    std::string_view names = shown.names;
    while (!names.empty()) {
      const auto comma = names.find(',');
      if (names.substr(0, comma) == name) return true;
      names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
    }
    return false;
  }
};

void store(const Target& target, const std::vector<std::string>& values) {
  if (const auto* text = std::get_if<std::string*>(&target)) {
    **text = values.back();
  } else if (const auto* optional = std::get_if<std::optional<std::string>*>(&target)) {
    **optional = values.back();
  } else if (const auto* list = std::get_if<std::vector<std::string>*>(&target)) {
    **list = values;
  }
}

// Letters to add, drop, replace or swap with the next one.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-';
}

// "  left   right", the right part wrapped below itself.
std::string two_columns(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t width = 0;
  for (const auto& [left, right] : rows) width = std::max(width, left.size());
  width = std::min<std::size_t>(width, 28);
  std::string text;
  for (const auto& [left, right] : rows) {
    constexpr std::size_t kPage = 100;
    const std::size_t indent = width + 4;
    std::string line = fmt::format("  {:<{}}  ", left, width);
    if (left.size() > width) line = fmt::format("  {}\n{:{}}", left, "", indent);
    std::size_t column = indent;
    std::string_view rest = right;
    while (!rest.empty()) {
      const auto blank = rest.find(' ');
      const auto word = rest.substr(0, blank);
      rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
      if (column > indent && column + 1 + word.size() > kPage) {
        line += fmt::format("\n{:{}}", "", indent);
        column = indent;
      } else if (column > indent) {
        line += ' ';
        ++column;
      }
      line += word;
      column += word.size();
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line + "\n";
  }
  return text;
}

}  // namespace

struct Arguments::Parts {
  struct Child {
    std::string name;
    std::unique_ptr<Arguments> arguments;
  };

  std::string program;
  std::string help;
  std::string epilogue;
  std::vector<Declared> declared;
  std::vector<Child> children;
  std::optional<std::pair<Argument, std::vector<std::string>*>> words;
  // An option that may stand without its value.
  struct Lenient {
    std::string name;
    bool* given;
    std::optional<std::string>* target;
    std::function<bool(const std::string&)> is_value;
  };
  std::vector<Lenient> lenient;
  std::function<Result<int>()> action;

  std::vector<std::string> take_lenient(const std::vector<std::string>& given) const;

  void declare(Argument shown, Target target) { declared.push_back({std::move(shown), target}); }

  Status take_what_is_left(std::vector<std::string> left) const;

  // What CLI11 calls a positional; people see its value's name, which may hold any character.
  std::string internal_name(const Declared& positional) const {
    return fmt::format("positional{}", &positional - declared.data());
  }
  const Declared* find(std::string_view name) const {
    const auto found = std::ranges::find_if(declared, [&](const Declared& one) { return one.is_named(name); });
    return found == declared.end() ? nullptr : &*found;
  }
  const Child* child(std::string_view name) const {
    const auto found = std::ranges::find(children, name, &Child::name);
    return found == children.end() ? nullptr : &*found;
  }
  std::unexpected<Error> usage_error(std::string text) const {
    return fail(ErrorKind::invalid, fmt::format("{}\n`{} --help` tells how it is used", text, program));
  }
  std::unexpected<Error> unexpected_word(const std::string& word) const;
};

Arguments::Arguments(std::string program, std::string help) : parts_(std::make_unique<Parts>()) {
  parts_->program = std::move(program);
  parts_->help = std::move(help);
}
Arguments::~Arguments() = default;

void Arguments::flag(const std::string& names, bool& target, std::string help) {
  parts_->declare({.names = names, .value = "", .help = std::move(help)}, &target);
}

void Arguments::option(const std::string& names, std::string value, std::optional<std::string>& target,
                       std::string help, Completes completes) {
  parts_->declare({names, std::move(value), std::move(help), completes}, &target);
}

void Arguments::option(const std::string& names, std::string value, std::vector<std::string>& target, std::string help,
                       Completes completes) {
  parts_->declare({names, std::move(value), std::move(help), completes, false, true}, &target);
}

void Arguments::option(const std::string& name, std::string value, bool& given, std::optional<std::string>& target,
                       std::string help, std::function<bool(const std::string&)> is_value, Completes completes) {
  parts_->declare({name, std::move(value), std::move(help), completes}, &target);
  parts_->lenient.push_back({name, &given, &target, std::move(is_value)});
}

// CLI11 would take the next word in any case, or never.
std::vector<std::string> Arguments::Parts::take_lenient(const std::vector<std::string>& given) const {
  std::vector<std::string> left;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] == "--") {
      left.insert(left.end(), given.begin() + static_cast<std::ptrdiff_t>(i), given.end());
      break;
    }
    const auto one = std::ranges::find_if(lenient, [&](const Lenient& option) {
      return given[i] == option.name || given[i].starts_with(option.name + "=");
    });
    if (one == lenient.end()) {
      left.push_back(given[i]);
      continue;
    }
    *one->given = true;
    if (given[i] != one->name) {
      *one->target = given[i].substr(one->name.size() + 1);
    } else if (i + 1 < given.size() && one->is_value(given[i + 1])) {
      *one->target = given[++i];
    }
  }
  return left;
}

bool Arguments::has_option(std::string_view name) const {
  return parts_->find(name) != nullptr;
}

void Arguments::positional(std::string value, std::string& target, std::string help, Completes completes) {
  parts_->declare({"", std::move(value), std::move(help), completes, true}, &target);
}

void Arguments::positional(std::string value, std::optional<std::string>& target, std::string help,
                           Completes completes) {
  parts_->declare({"", std::move(value), std::move(help), completes}, &target);
}

void Arguments::positionals(std::string value, std::vector<std::string>& target, bool required, std::string help,
                            Completes completes) {
  parts_->declare({"", std::move(value), std::move(help), completes, required, true}, &target);
}

void Arguments::words(std::string value, std::vector<std::string>& target, std::string help, Completes offered) {
  parts_->words.emplace(Argument{"", std::move(value), std::move(help), offered, false, true}, &target);
}

Arguments& Arguments::command(const std::string& name, std::string help) {
  if (const auto* known = parts_->child(name)) return *known->arguments;
  auto child = std::make_unique<Arguments>(parts_->program + " " + name, std::move(help));
  parts_->children.push_back({name, std::move(child)});
  return *parts_->children.back().arguments;
}

void Arguments::action(std::function<Result<int>()> action) {
  parts_->action = std::move(action);
}

void Arguments::epilogue(std::string text) {
  parts_->epilogue = std::move(text);
}

std::unexpected<Error> Arguments::Parts::unexpected_word(const std::string& word) const {
  if (!looks_like_option(word)) {
    if (children.empty()) return usage_error(fmt::format("one word too many: '{}'", word));
    std::vector<std::string> names;
    for (const auto& one : children) names.push_back(one.name);
    const auto near = nearest(word, names);
    return usage_error(near ? fmt::format("'{}' is no command here; did you mean '{}'?", word, *near)
                            : fmt::format("'{}' is no command here: {}", word, fmt::join(names, ", ")));
  }
  std::vector<std::string> names;
  for (const auto& one : declared) {
    const auto longest = one.shown.names.find("--");
    if (longest != std::string::npos) names.push_back(one.shown.names.substr(longest));
  }
  const auto near = nearest(word.substr(0, word.find('=')), names);
  return usage_error(near ? fmt::format("unknown option '{}'; did you mean '{}'?", word, *near)
                          : fmt::format("unknown option '{}'", word));
}

// CLI11 leaves unknown options, words beyond the positionals, and the `--` that ends the options.
Status Arguments::Parts::take_what_is_left(std::vector<std::string> left) const {
  if (words) {
    if (const auto mark = std::ranges::find(left, "--"); mark != left.end()) left.erase(mark);
    *words->second = std::move(left);
    return {};
  }
  const auto rest = std::ranges::find_if(declared, &Declared::takes_what_is_left);
  std::vector<std::string>* target =
      rest == declared.end() ? nullptr : std::get<std::vector<std::string>*>(rest->target);
  bool options_ended = false;
  for (auto& word : left) {
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (target == nullptr || (!options_ended && looks_like_option(word))) {
      return unexpected_word(word);
    } else {
      target->push_back(std::move(word));
    }
  }
  if (target != nullptr && target->empty() && rest->shown.required)
    return usage_error(fmt::format("{} is missing", rest->shown.value));
  return {};
}

Result<int> Arguments::run(const std::vector<std::string>& given) {
  const std::vector<std::string> words = parts_->take_lenient(given);
  // A command below this one, with flags of its own perhaps before its name.
  for (std::size_t i = 0; i < words.size() && !parts_->children.empty(); ++i) {
    if (const auto* child = parts_->child(words[i])) {
      std::vector<std::string> rest(words.begin(), words.end());
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
      return child->arguments->run(rest);
    }
    if (!looks_like_option(words[i])) break;
  }

  CLI::App app;
  for (const auto& one : parts_->declared) {
    if (one.takes_what_is_left()) continue;
    const std::string names = one.is_option() ? one.shown.names : parts_->internal_name(one);
    if (const auto* flag = std::get_if<bool*>(&one.target)) {
      app.add_flag_function(names, [target = *flag](std::int64_t count) { *target = count > 0; });
      continue;
    }
    CLI::callback_t keep = [&one](const CLI::results_t& values) {
      store(one.target, values);
      return true;
    };
    const auto policy = one.shown.many ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast;
    app.add_option(names, std::move(keep))
        ->required(one.shown.required)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(policy);
  }
  app.allow_extras();
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help());
    return 0;
  } catch (const CLI::RequiredError& missing) {
    for (const auto& one : parts_->declared) {
      if (one.takes_what_is_left()) continue;
      if (one.shown.required && app.get_option_no_throw(parts_->internal_name(one))->count() == 0) {
        // A mistyped option explains a missing word better than the word itself.
        for (const auto& word : app.remaining())
          if (looks_like_option(word)) return parts_->unexpected_word(word);
        return parts_->usage_error(fmt::format("{} is missing", one.shown.value));
      }
    }
    return parts_->usage_error(missing.what());
  } catch (const CLI::ArgumentMismatch& wrong) {
    const std::string text = wrong.what();  // "--name: 1 required NAME missing"
    if (text.contains(" required "))
      return parts_->usage_error(fmt::format("{} needs a value", text.substr(0, text.find(':'))));
    return parts_->usage_error(text);
  } catch (const CLI::ParseError& wrong) {
    return parts_->usage_error(wrong.what());
  }

  KIST_TRY(parts_->take_what_is_left(app.remaining()));
  if (!parts_->action) {
    fmt::print("{}", help());
    return 2;
  }
  return parts_->action();
}

std::string Arguments::help() const {
  std::string usage = parts_->program;
  if (std::ranges::any_of(parts_->declared, &Declared::is_option)) usage += " [OPTIONS]";
  std::vector<std::pair<std::string, std::string>> positionals;
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<std::pair<std::string, std::string>> commands;
  const auto add_positional = [&](const Argument& shown) {
    const std::string word = shown.value + (shown.many && shown.value.back() != ']' ? "…" : "");
    usage += shown.required || word.front() == '[' ? " " + word : " [" + word + "]";
    positionals.emplace_back(shown.value, shown.help);
  };
  for (const auto& one : parts_->declared) {
    if (!one.is_option()) {
      add_positional(one.shown);
      continue;
    }
    if (one.shown.help.empty()) continue;
    std::string names = one.shown.names;
    if (const auto comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
    if (names.starts_with("--")) names = "    " + names;
    options.emplace_back(one.shown.value.empty() ? names : names + " " + one.shown.value, one.shown.help);
  }
  if (parts_->words) add_positional(parts_->words->first);
  options.emplace_back("-h, --help", "Print this help");
  for (const auto& child : parts_->children) commands.emplace_back(child.name, child.arguments->parts_->help);
  if (!commands.empty()) usage += parts_->action ? " [COMMAND …]" : " COMMAND …";

  std::string text = fmt::format("{}\n\nUsage: {}\n", parts_->help, usage);
  if (!commands.empty()) text += "\nCommands:\n" + two_columns(commands);
  if (!positionals.empty()) text += "\n" + two_columns(positionals);
  text += "\nOptions:\n" + two_columns(options);
  if (!parts_->epilogue.empty()) text += "\n" + parts_->epilogue + "\n";
  return text;
}

Arguments::Expected Arguments::expected(const std::vector<std::string>& words) const {
  Expected expected;
  if (words.empty()) return expected;
  const Declared* wants_value = nullptr;
  bool options_ended = false;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& word = words[i];
    if (wants_value != nullptr) {
      wants_value = nullptr;
    } else if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && looks_like_option(word)) {
      const auto* option = parts_->find(word);
      if (option != nullptr && option->takes_value()) wants_value = option;
    } else if (const auto* child = expected.positionals.empty() ? parts_->child(word) : nullptr) {
      return child->arguments->expected({words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
    } else {
      expected.positionals.push_back(word);
    }
  }

  const auto& last = words.back();
  if (wants_value != nullptr) {
    expected.completes = wants_value->shown.completes;
    return expected;
  }
  if (!options_ended && last.starts_with("--") && last.find('=') != std::string::npos) {
    const auto* option = parts_->find(last.substr(0, last.find('=')));
    if (option != nullptr && option->takes_value()) {
      expected.completes = option->shown.completes;
      expected.prefix = last.substr(0, last.find('=') + 1);
    }
    return expected;
  }
  if (!options_ended && last.starts_with("-")) {
    for (const auto& one : parts_->declared)
      if (one.is_option() && !one.shown.help.empty()) expected.options.push_back(one.shown);
    expected.options.push_back({.names = "-h,--help", .value = "", .help = "Print this help"});
    return expected;
  }
  if (expected.positionals.empty())
    for (const auto& child : parts_->children)
      expected.commands.emplace_back(child.name, child.arguments->parts_->help);
  if (parts_->words) {
    if (expected.positionals.empty()) expected.completes = parts_->words->first.completes;
    return expected;
  }
  std::size_t index = expected.positionals.size();
  for (const auto& one : parts_->declared) {
    if (one.is_option()) continue;
    if (index == 0 || one.shown.many) {
      expected.completes = one.shown.completes;
      break;
    }
    --index;
  }
  return expected;
}

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(typed.size() / 3, 1) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(typed, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace kist::cli
