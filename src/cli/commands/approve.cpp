#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/table.hpp"
#include "cli/runs.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct ApproveOptions {
  std::string run;
  std::optional<std::string> step;
  std::vector<std::string> parameters;
};

bool is_waiting(const model::NodeRecord& node) {
  return node.kind == model::NodeKind::gate && node.state == model::State::running;
}

bool is_named(const model::NodeRecord& node, const std::optional<std::string>& step) {
  return !step || *step == node.names.name || *step == node.names.display || *step == node.names.id ||
         *step == node.step;
}

std::vector<const model::NodeRecord*> waiting(const model::RunRecord& run, const std::optional<std::string>& step) {
  std::vector<const model::NodeRecord*> nodes;
  for (const auto& node : run.nodes)
    if (is_waiting(node) && is_named(node, step)) nodes.push_back(&node);
  return nodes;
}

bool has_begun(const model::RunRecord& run) {
  return std::ranges::any_of(run.nodes, [](const auto& node) { return node.state != model::State::pending; });
}

// Until the owner has acted, or a while has gone by. What the gates still lack is in their messages.
Result<int> wait_for_answer(Context& context, catalog::Catalog& catalog, const ApproveOptions& options,
                            const std::string& name, const std::vector<std::string>& asked) {
  using namespace std::chrono_literals;
  const auto patience = std::chrono::steady_clock::now() + 5s;
  while (true) {
    std::this_thread::sleep_for(50ms);
    KIST_TRY_ASSIGN(const auto run, catalog.run(name));
    std::vector<std::string> still;
    std::string lacking;
    for (const auto* node : waiting(run, options.step)) {
      if (std::ranges::find(asked, node->names.name) == asked.end()) continue;
      still.push_back(node->names.display);
      if (!node->message.empty()) lacking = node->message;
    }
    if (still.empty() && (!asked.empty() || has_begun(run) || model::is_final(run.state))) {
      context.done(fmt::format("{} approved", name));
      return 0;
    }
    if (!lacking.empty())
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' goes on waiting: {} (give values with `-p NAME=VALUE`)", still.front(), lacking));
    if (std::chrono::steady_clock::now() > patience)
      return fail(ErrorKind::unavailable, fmt::format("the owner of the run '{}' has not answered yet", name));
  }
}

Result<int> approve(Context& context, const ApproveOptions& options) {
  KIST_TRY_ASSIGN(const auto name, find_run(context.house, options.run, Naming::prefix));
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  catalog::Request request{
      .kind = catalog::Request::Kind::approve, .node = options.step.value_or(""), .parameters = {}};
  for (const std::string& parameter : options.parameters) {
    const auto equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorKind::invalid, fmt::format("'{}' is not NAME=VALUE", parameter));
    request.parameters.emplace_back(parameter.substr(0, equals), parameter.substr(equals + 1));
  }
  KIST_TRY_ASSIGN(const auto run, catalog->run(name));
  if (model::is_final(run.state))
    return fail(ErrorKind::conflict,
                fmt::format("The run '{}' has ended ({})", name, context.state_word(run.state, run.dialect)));
  if (!engine::is_owned(*home, name))
    return fail(
        ErrorKind::conflict,
        fmt::format("The run '{0}' was interrupted: `kist resume {0}` goes on, and then it can be approved", name));
  std::vector<std::string> asked;
  for (const auto* node : waiting(run, options.step)) asked.push_back(node->names.name);
  if (asked.empty() && (options.step || has_begun(run)))
    return fail(ErrorKind::not_found, options.step ? fmt::format("no step '{}' of '{}' waits", *options.step, name)
                                                   : fmt::format("nothing of '{}' waits for approval", name));
  KIST_TRY(catalog->add_request(name, request));
  return wait_for_answer(context, *catalog, options, name, asked);
}

}  // namespace

void declare_approve(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ApproveOptions>();
  arguments.option("-p,--parameter", "NAME=VALUE", options->parameters, "A value that the step waits for");
  arguments.positional("RUN", options->run, "The run, or how its name begins", Completes::run);
  arguments.positional("STEP", options->step, "Which of the steps that wait; all of them if not given",
                       Completes::step);
  arguments.epilogue("Lets a run go on that waits for somebody: at a step, or before it has begun.");
  arguments.action([&context, options] { return approve(context, *options); });
}

}  // namespace kist::cli
