// The kinds of objects that kist keeps, and the words by which kubectl names them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "expression/selector.hpp"
#include "expression/text.hpp"

namespace kist::dialect::argo {

struct ObjectKind {
  enum class Sort { run, document, secret, claim };
  std::string_view name;     // "ConfigMap"
  std::string_view version;  // "v1"
  std::string_view plural;   // as messages have it: "configmaps", "workflows.argoproj.io"
  Sort sort = Sort::document;
};

// By its name in a manifest. Errors: unsupported, with those there are.
Result<const ObjectKind*> find_kind(std::string_view name, std::string_view version);

// What the words of `flags` name: "configmap x", "workflow/x", "cm -l app=x", "--ignore-not-found".
struct ObjectWords {
  const ObjectKind* kind = nullptr;
  std::vector<std::string> names;
  std::optional<std::vector<expression::Requirement>> selector;
  bool all = false;
  bool ignore_missing = false;
};

// Words that have no meaning on one machine (a namespace, a grace period) are passed over. Errors: unsupported (any
// other), invalid.
Result<ObjectWords> read_words(const std::vector<expression::Text>& flags);

}  // namespace kist::dialect::argo
