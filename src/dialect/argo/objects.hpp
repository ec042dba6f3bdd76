// What resource templates do: objects that their manifests describe are got, made, changed and removed.
#pragma once

#include <string>

#include "base/result.hpp"
#include "model/objects.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// model::Dialect::act_on_object.
Result<std::string> act_on_object(const model::ObjectRequest& request, model::Objects& objects);

}  // namespace kist::dialect::argo
