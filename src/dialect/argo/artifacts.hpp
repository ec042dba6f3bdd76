// Artifacts of a task as its actions, and the paths they have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dialect/argo/spec.hpp"
#include "dialect/argo/texts.hpp"
#include "model/workflow.hpp"

namespace kist::dialect::argo {

// A path without `.`, `..`, doubled and trailing slashes, by its letters alone (Go's path.Clean): "/tmp/in/" is
// "/tmp/in". References in it stay.
std::string clean_path(std::string_view path);

// Whether a path leads out of the directory it begins in: "../x", "/tmp/../../x".
bool leaves_root(std::string_view path);

// What an artifact among arguments comes from: a reference, or bytes written in the file.
model::ArtifactSource artifact_source(const Artifact& artifact);

// The name in a `from`, with or without its braces: "steps.a.outputs.artifacts.x".
model::ArtifactReference reference_of(const Scalar& from);

model::InputArtifact lower_input(const Artifact& artifact);

// Brings an input to its path.
model::Load load_of(const Artifact& artifact, const Values& names);

// Keeps an output. Where nothing is written an archive is `unwritten`.
model::Save save_of(const Artifact& artifact, model::Archive::Kind unwritten, const Values& names);

}  // namespace kist::dialect::argo
