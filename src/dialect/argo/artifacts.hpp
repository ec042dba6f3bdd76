// Artifacts of a task as its actions, the paths they have, and the locations they come from and go to.
#pragma once

#include <optional>
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

// The key of a bucket, or what a kind has instead of it; nullptr: none, or an empty one.
const Scalar* key_of(const Place& place);

// Whether a location says all by itself; else the repository completes its key.
bool is_complete(const Place& place);

// A location as the model has it. One that is only a key is completed by the repository, or is a key of this home's.
// Nullopt: it says nothing at all (an empty key). `whole`: then the whole bucket, or repository, is meant.
std::optional<model::Location> lower_place(const Place& place, const Repository& repository, const Values& names,
                                           bool whole = false);

// What an artifact among arguments comes from.
model::ArtifactSource artifact_source(const Artifact& artifact, const Repository& repository);

// The name in a `from`, with or without its braces: "steps.a.outputs.artifacts.x".
model::ArtifactReference reference_of(const Scalar& from);

model::InputArtifact lower_input(const Artifact& artifact, const Repository& repository);

// Brings an input to its path.
model::Load load_of(const Artifact& artifact, const Values& names);

// Where the log of a container goes that is kept as an artifact; nullopt: nowhere but here.
std::optional<model::Location> log_location(const Spec& spec, const Template& definition, std::string_view container);

// Keeps an output. Where nothing is written an archive is `unwritten`.
model::Save save_of(const Spec& spec, const Template& definition, const Artifact& artifact, const Values& names);

}  // namespace kist::dialect::argo
