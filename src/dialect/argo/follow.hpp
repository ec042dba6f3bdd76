// From one document to all that it refers to: the spec of another (workflowTemplateRef), templates of others
// (templateRef), templates written where they are called (inline), repositories in config maps.
#pragma once

#include <vector>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

struct Merged {
  yaml::Node spec;
  bool incomplete = false;  // what it refers to was not found, or is not known before the run
};

// A spec laid over the one it refers to. Reports what is not found.
Merged merge_reference(const yaml::Node& spec, const std::vector<Document>& documents, Report& report);

// Reads the templates of `merged` into `spec`, then those of other documents as far as they are called; gives every
// reference the key of its template. Reports what is not found.
void follow_references(const yaml::Node& merged, const std::vector<Document>& documents, Report& report, Spec& spec);

// The repository that the spec's artifacts without a location of their own are kept in.
void read_repositories(const std::vector<Document>& documents, Report& report, Spec& spec);

// The text of a key of a config map that a workflow needs; nullopt: not there, which was reported unless it is
// optional.
std::string lack_of_config(const std::vector<Document>& documents, const KeySelector& selector,
                           const std::string& where);
std::optional<std::string> need_config(const std::vector<Document>& documents, const KeySelector& selector,
                                       const std::string& where, Report& report);

}  // namespace kist::dialect::argo
