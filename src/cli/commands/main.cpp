#include "cli/commands/main.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "cli/all_runs.hpp"
#include "cli/commands/table.hpp"
#include "cli/context.hpp"
#include "cli/diagnostics.hpp"
#include "cli/version.hpp"

namespace kist::cli {

namespace {

std::string overview(const Context& context) {
  std::string text = fmt::format(
      "Runs workflows of dstack, Argo and CircleCI on this machine, and keeps what they make.\n"
      "\nUsage: {} COMMAND [OPTIONS] …\n",
      context.program());
  const auto commands = commands_of(context);
  std::size_t width = 0;
  for (const auto& command : commands)
    if (!command.group.empty()) width = std::max(width, command.name.size());
  std::string_view group;
  for (const auto& command : commands) {
    if (command.group.empty()) continue;
    if (command.group != group) text += fmt::format("\n{}:\n", command.group);
    group = command.group;
    text += fmt::format("  {:<{}}  {}\n", command.name, width, command.help);
  }
  text += fmt::format(
      "\n`{0} COMMAND --help` tells more; `{0} --version` tells the version.\n"
      "Everything is kept in $KIST_HOME, or ~/.kist.\n",
      context.program());
  return text;
}

Result<int> dispatch(Context& context, std::vector<std::string> words) {
  if (words.empty()) {
    print(overview(context));
    return 0;
  }
  std::string name = words.front();
  words.erase(words.begin());
  if (name == "--version" || name == "-V" || (name == "-v" && context.own_system() != nullptr)) {
    print(fmt::format("kist {}\n", kVersion));
    return 0;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    if (name != "help" || words.empty()) {
      print(overview(context));
      return 0;
    }
    name = words.front();
    words = {"--help"};
  }
  const auto commands = commands_of(context);
  const auto command = std::ranges::find(commands, name, &Command::name);
  if (command == commands.end()) {
    std::vector<std::string> names;
    for (const auto& one : commands)
      if (!one.group.empty()) names.emplace_back(one.name);
    const auto near = nearest(name, names);
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no command{}\n`{} --help` lists them", name,
                            near ? fmt::format("; did you mean '{}'?", *near) : "", context.program()));
  }
  Arguments arguments(fmt::format("{} {}", context.program(), name), std::string(command->help));
  command->declare(arguments, context);
  return arguments.run(words);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::string called = argument_count > 0 ? std::filesystem::path(arguments[0]).filename().string() : "kist";
  Context context(called == "dstack" ? called : "kist");
  const bool completing = argument_count > 1 && std::string_view(arguments[1]).starts_with("__");
  auto code = dispatch(context, {arguments + std::min(argument_count, 1), arguments + argument_count});
  if (code) {
    if (auto written = finish_output(); !written) code = std::unexpected(std::move(written).error());
  } else {
    std::fflush(stdout);
  }
  if (code && !completing) keep_dstack_artifacts(context);
  if (code) return *code;
  print_error(context.program(), code.error(), {}, context.colored_errors());
  return exit_code_of(code.error());
}

}  // namespace kist::cli
