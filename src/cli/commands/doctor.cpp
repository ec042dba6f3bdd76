#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/checkup.hpp"
#include "cli/commands/table.hpp"

namespace kist::cli {

namespace {

Result<int> doctor(Context& context, bool json) {
  constexpr std::string_view kWords[] = {"ok", "warning", "problem"};
  constexpr std::string_view kMarks[] = {"✔", "⚠", "✖"};
  constexpr Color kColors[] = {Color::green, Color::yellow, Color::red};
  const auto findings = check_up(context.house);
  const bool sick = std::ranges::find(findings, Finding::Status::problem, &Finding::status) != findings.end();
  const int code = sick ? 3 : 0;

  if (json) {
    Json list = Json::array();
    for (const auto& finding : findings) {
      list.push_back({{"name", finding.name},
                      {"status", kWords[static_cast<int>(finding.status)]},
                      {"text", finding.text},
                      {"advice", finding.advice}});
    }
    print_json(list);
    return code;
  }
  const bool colored = context.colored_output();
  std::size_t width = 0;
  for (const auto& finding : findings) width = std::max(width, finding.name.size());
  for (const auto& finding : findings) {
    const auto at = static_cast<int>(finding.status);
    print(fmt::format("{} {:<{}}  {}\n", paint(kMarks[at], kColors[at], colored), finding.name, width, finding.text));
    if (!finding.advice.empty()) print(fmt::format("  {:<{}}  → {}\n", "", width, finding.advice));
  }
  return code;
}

}  // namespace

void declare_doctor(Arguments& arguments, Context& context) {
  auto json = std::make_shared<bool>(false);
  arguments.flag("--json", *json, "Print JSON");
  arguments.epilogue("Exit code: 0 where kist can work, 3 where it cannot.");
  arguments.action([&context, json] { return doctor(context, *json); });
}

}  // namespace kist::cli
