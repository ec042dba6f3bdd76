// Kubernetes' strategic merge, on documents before they are read: mappings are merged key by key, lists of named
// things by their names, and everything else is replaced. Argo lays a Workflow over the template it refers to in this
// way, and every template over the defaults.
#pragma once

#include "base/yaml.hpp"

namespace kist::dialect::argo {

// What `over` says wins. A null in `over` takes away what `base` has.
yaml::Node merge(const yaml::Node& base, const yaml::Node& over);

// One template over spec.templateDefaults: of the defaults only those kinds of container are taken that the template
// is of.
yaml::Node merge_defaults(const yaml::Node& defaults, const yaml::Node& definition);

}  // namespace kist::dialect::argo
