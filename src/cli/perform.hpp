// Starts or resumes a run and stays with it, or splits a process off that does: what `run` and `resume` share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/context.hpp"
#include "engine/engine.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"
#include "task/starters.hpp"

namespace kist::cli {

using NoticeSink = std::function<void(const model::Notice&)>;

struct Performance {
  const model::Dialect* dialect = nullptr;
  std::vector<model::SourceText> files;  // the run's, to show the lines that notices are about
  bool detach = false;
  int jobs = 0;                                // at most so many tasks at once; 0: what the machine can bear
  std::optional<std::string> remote = {};      // of a new run: where it is to be sent when it ends
  const task::SpareStarters* spare = nullptr;  // of several runs of one command: what each leaves to the next
  // Gives the name of the run to own; empty: there is none, and that is said. Called when the process has split and the
  // launcher is there.
  std::function<Result<std::string>(engine::Engine&, const NoticeSink&)> begin;
};

// The exit code. Call it before there are threads.
Result<int> perform(Context& context, const Performance& performance);

// The value of --jobs. Errors: invalid.
Result<int> read_jobs(const std::optional<std::string>& text);

}  // namespace kist::cli
