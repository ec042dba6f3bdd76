// How CircleCI names and words what happens in a run.
#pragma once

#include "model/dialect.hpp"

namespace kist::dialect::circleci {

const model::Wording& wording();

}  // namespace kist::dialect::circleci
