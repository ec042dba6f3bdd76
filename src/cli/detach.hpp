// `-d`: the run goes on in a process of its own. It is forked before anything heavy is opened; the command returns when
// the run is durably submitted, or with the error that kept it from that.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace kist::cli {

// Splits this process in two. In the parent: prints what the child has to say until it announced its run, and gives the
// exit code. In the child (nullopt): a session of its own, no standard input or output; standard error goes to the
// parent. Call it before there are threads.
Result<std::optional<int>> split_off();

// In the child: lets the parent print the run's name and return. What is said on standard error from now on is added to
// `log`.
void announce(std::string_view run, const std::filesystem::path& log);

}  // namespace kist::cli
