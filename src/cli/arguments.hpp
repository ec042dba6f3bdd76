// What a command accepts on its command line: declared once, and used for parsing (CLI11, compiled in one file only),
// for `--help` and for the shells' completions, so the three never differ.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist::cli {

// What a shell offers for a value.
enum class Completes { nothing, run, run_or_tag, tag, remote, workflow, step, artifact, shell, file, directory };

// One option or positional, as help and completions show it.
struct Argument {
  std::string names;  // "-t,--tag"; empty for a positional
  std::string value;  // "TAG"; empty for a flag
  std::string help;
  Completes completes = Completes::nothing;
  bool required = false;
  bool many = false;
};

// The arguments of one command. The targets given to it must outlive run(); options that were not given leave theirs
// as they were. Not thread-safe.
class Arguments {
 public:
  // `program` is what the user types before the arguments: "kist ls".
  Arguments(std::string program, std::string help);
  ~Arguments();
  Arguments(Arguments&&) = delete;

  // Options. `names`: "-t,--tag". One without help is accepted and not shown.
  void flag(const std::string& names, bool& target, std::string help);
  void option(const std::string& names, std::string value, std::optional<std::string>& target, std::string help,
              Completes completes = Completes::nothing);
  void option(const std::string& names, std::string value, std::vector<std::string>& target, std::string help,
              Completes completes = Completes::nothing);  // may be repeated
  // One whose value may be left out: the value stands in the same word ("--remote=NAME"), or is the next word where
  // `is_value` says that it is one.
  void option(const std::string& name, std::string value, bool& given, std::optional<std::string>& target,
              std::string help, std::function<bool(const std::string&)> is_value, Completes completes);
  bool has_option(std::string_view name) const;  // "-t" or "--tag"

  // Positionals, in order: a required one, one that may be left out, and any number (`required`: at least one).
  void positional(std::string value, std::string& target, std::string help, Completes completes = Completes::nothing);
  void positional(std::string value, std::optional<std::string>& target, std::string help,
                  Completes completes = Completes::nothing);
  void positionals(std::string value, std::vector<std::string>& target, bool required, std::string help,
                   Completes completes = Completes::nothing);
  // All words that are no known option, in their order, unknown options and what follows `--` included. Instead of
  // positionals. `offered` is completed for the first of them.
  void words(std::string value, std::vector<std::string>& target, std::string help, Completes offered);

  // A command below this one: "list" of `kist tags`; the one of that name where there is one.
  Arguments& command(const std::string& name, std::string help);
  // What the command does; the exit code. A command with commands below it may have one too: for when none was named.
  void action(std::function<Result<int>()> action);
  // Text at the end of the help: examples.
  void epilogue(std::string text);

  // Parses the words after the command's name and acts. Errors: invalid (usage), and those of the action.
  Result<int> run(const std::vector<std::string>& words);

  std::string help() const;

  // What stands at the last of these words (which may be empty): for completions.
  struct Expected {
    std::vector<Argument> options;                              // where it can be an option
    std::vector<std::pair<std::string, std::string>> commands;  // name and help
    Completes completes = Completes::nothing;                   // where it can be a value
    std::string prefix;                                         // of the word, before the value: "--tag="
    std::vector<std::string> positionals;                       // those that stand before it
  };
  Expected expected(const std::vector<std::string>& words) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The candidate nearest to what was typed, for "did you mean"; nullopt where none is near.
std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& candidates);

}  // namespace kist::cli
