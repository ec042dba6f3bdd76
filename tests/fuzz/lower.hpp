// Any text is either lowered or refused with words, and what was lowered has the definition that it enters by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "model/dialect.hpp"

namespace kist::fuzz {

inline void lower(const model::Dialect& dialect, const std::uint8_t* data, std::size_t size) {
  model::RunRequest request;
  request.dialect = dialect.name();
  request.project = "/project";
  request.files = {{"f", std::string(reinterpret_cast<const char*>(data), size)}};
  request.arguments = {"an", "argument \"or two"};
  (void)dialect.recognises("f", request.files[0].text);
  auto summaries = dialect.workflows(request.files);
  if (!summaries) {
    if (summaries.error().text.empty()) __builtin_trap();
    return;
  }
  summaries->push_back({});  // no name: the only one
  std::size_t tried = 0;
  for (const model::WorkflowSummary& summary : *summaries) {
    if (++tried > 20) break;
    request.workflow = summary.name;
    auto lowered = dialect.lower(request);
    if (lowered ? !lowered->workflow.definitions.contains(lowered->workflow.entry.definition)
                : lowered.error().text.empty())
      __builtin_trap();
  }
}

}  // namespace kist::fuzz
