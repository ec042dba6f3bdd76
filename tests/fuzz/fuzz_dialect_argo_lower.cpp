// Any text is either lowered or refused with words; what was lowered can be looked at.
#include <cstddef>
#include <cstdint>
#include <string>

#include "dialect/argo/dialect.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kist::model::RunRequest request;
  request.dialect = "argo";
  request.files = {{"f", std::string(reinterpret_cast<const char*>(data), size)}};
  const kist::model::Dialect& dialect = kist::dialect::argo::dialect();
  (void)dialect.recognises("f", request.files[0].text);
  (void)dialect.workflows(request.files);
  auto lowered = dialect.lower(request);
  if (!lowered) {
    if (lowered.error().text.empty()) __builtin_trap();
    return 0;
  }
  if (!lowered->workflow.definitions.contains(lowered->workflow.entry.definition)) __builtin_trap();
  return 0;
}
