// The scripts (completions/) know nothing of kist's commands: they hand the words so far to `__complete`, whose answer
// comes from the same declarations that parse, so they never get stale. It prints a candidate a line, a tab and what it
// is; a line "//files" or "//directories" says that the shell's own completion goes on.
#include <fmt/format.h>

#include "cli/commands/completion_scripts.hpp"
#include "cli/commands/table.hpp"

namespace kist::cli {

namespace {

// The scripts are written for `kist`; every mention of it is the program's name.
std::string for_program(std::string_view script, std::string_view program) {
  constexpr std::string_view kName = "kist";
  std::string text(script);
  for (auto at = text.find(kName); at != std::string::npos; at = text.find(kName, at + program.size()))
    text.replace(at, kName.size(), program);
  return text;
}

Result<int> completion(const Context& context, const std::string& shell) {
  std::string_view script;
  if (shell == "bash") {
    script = kBashScript;
  } else if (shell == "zsh") {
    script = kZshScript;
  } else if (shell == "fish") {
    script = kFishScript;
  } else {
    return fail(ErrorKind::invalid, fmt::format("'{}' is no shell kist knows: bash, zsh or fish", shell));
  }
  print(for_program(script, context.program()));
  return 0;
}

}  // namespace

void declare_completion(Arguments& arguments, Context& context) {
  auto shell = std::make_shared<std::string>();
  arguments.positional("SHELL", *shell, "bash, zsh or fish", Completes::shell);
  arguments.epilogue(
      fmt::format("bash:  source <({0} completion bash)\nzsh:   source <({0} completion zsh)\n"
                  "fish:  {0} completion fish | source",
                  context.program()));
  arguments.action([&context, shell] { return completion(context, *shell); });
}

}  // namespace kist::cli
