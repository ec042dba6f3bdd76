// From a document to a Spec: every mapping by its table, every value by its type. Wrong types, unknown keys and what is
// not supported are reported; what can be read is read, so that the checks after it see as much as there is.
#pragma once

#include <string>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/fields.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

// The workflow a document holds.
Spec read_workflow(const Document& document, Report& report);

// One template, the `index`th of the spec.
Template read_template(const yaml::Node& node, std::size_t index, Report& report);

// Inputs, outputs or arguments: parameters and artifacts.
enum class Side { inputs, outputs, arguments };
Exchange read_exchange(const yaml::Node* node, Side side, const std::string& where, Report& report);

}  // namespace kist::dialect::argo
