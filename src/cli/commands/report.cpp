#include <fmt/ranges.h>

#include "cli/commands/table.hpp"
#include "task/control.hpp"

namespace kist::cli {

void declare_report(Arguments& arguments, Context&) {
  auto words = std::make_shared<std::vector<std::string>>();
  arguments.positionals("TEXT", *words, true, "How far the task is, in its own words: 3/10");
  arguments.epilogue("For use inside a task. The text is shown while the run is watched; it is not kept.");
  arguments.action([words]() -> Result<int> {
    KIST_TRY(task::report(fmt::format("{}", fmt::join(*words, " "))));
    return 0;
  });
}

}  // namespace kist::cli
